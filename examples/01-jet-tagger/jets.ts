import type { Random } from "../../src/base/index.ts";

/**
 * A toy of boosted jets. A jet begins with a quark, a gluon, or the decay of a W, a Z or a top
 * quark; its partons radiate gluons, break into hadrons, and are measured by a detector among the
 * debris of other collisions.
 *
 * Angles are small, so a direction is a point (x, y) in the plane across the jet, and the squared
 * mass of a set of particles is the sum of p_i p_j angle_ij^2 over its pairs. Momenta and masses
 * are in GeV.
 */
export const jetKinds = ["gluon", "quark", "W", "Z", "top"] as const;

export type JetKind = (typeof jetKinds)[number];

export interface Particle {
  readonly momentum: number;
  readonly x: number;
  readonly y: number;
}

/** A particle with colour, before it radiates; it radiates at angles below `angle`. */
interface Parton extends Particle {
  readonly isGluon: boolean;
  readonly angle: number;
}

export const coneRadius = 0.8;

const masses = {
  W: { mass: 80.4, width: 2.1 },
  Z: { mass: 91.2, width: 2.5 },
  top: { mass: 172.5, width: 1.4 },
};

/** Momentum of the jet: between 0.8 and 1.6 TeV, steeply falling. */
const lowestMomentum = 800;
const highestMomentum = 1600;
const momentumSlope = 5;

/** Quantum chromodynamics: colour factors, and a running coupling with four quark flavours. */
const gluonColour = 3;
const quarkColour = 4 / 3;
const lambda = 0.25;
const softestKick = 1;
const couplingSlope = 25 / (12 * Math.PI);

/**
 * Particles of other collisions within the cone: their mean number, and their mean momentum above
 * threshold.
 */
const pileUpCount = 12;
const pileUpMomentum = 1.2;
const detectionThreshold = 1;

/** The particles of one jet as the detector reports them, within the cone around the jet's axis. */
export function simulateJet(kind: JetKind, random: Random): Particle[] {
  const truth = startPartons(kind, drawMomentum(random), random)
    .flatMap((parton) => radiate(parton, random))
    .flatMap((parton) => hadronise(parton, random));
  const seen = [...truth, ...simulatePileUp(random)]
    .map((hadron) => measure(hadron, random))
    .filter(({ momentum }) => momentum > detectionThreshold);
  return gather(seen);
}

function drawMomentum(random: Random): number {
  for (;;) {
    const momentum = lowestMomentum * (1 - random.uniform()) ** (-1 / momentumSlope);
    if (momentum < highestMomentum) return momentum;
  }
}

function startPartons(kind: JetKind, momentum: number, random: Random): Parton[] {
  const whole = { momentum, x: 0, y: 0 };
  switch (kind) {
    case "gluon":
    case "quark":
      return [{ ...whole, isGluon: kind === "gluon", angle: coneRadius }];
    case "W":
    case "Z":
      return decayBoson(whole, drawMass(kind, random), random);
    case "top": {
      const bosonMass = drawMass("W", random);
      const isotropic = 2 * random.uniform() - 1;
      const topMass = drawMass("top", random);
      const [boson, bottom] = decay(whole, topMass, bosonMass, isotropic, random);
      const angle = distance(boson, bottom);
      return [...decayBoson(boson, bosonMass, random), { ...bottom, isGluon: false, angle }];
    }
  }
}

/**
 * To a quark and an antiquark. Longitudinal polarisation: the sharing of momentum tends to be even.
 */
function decayBoson(boson: Particle, mass: number, random: Random): Parton[] {
  let cosine: number;
  do cosine = 2 * random.uniform() - 1;
  while (random.uniform() < cosine ** 2);
  const [quark, antiquark] = decay(boson, mass, 0, cosine, random);
  const angle = distance(quark, antiquark);
  return [quark, antiquark].map((prong) => ({ ...prong, isGluon: false, angle }));
}

/** Two daughters, the second without mass, seen from a frame in which the parent is fast. */
function decay(
  parent: Particle,
  mass: number,
  firstMass: number,
  cosine: number,
  random: Random,
): [Particle, Particle] {
  const energy = (mass ** 2 + firstMass ** 2) / (2 * mass);
  const recoil = (mass ** 2 - firstMass ** 2) / (2 * mass);
  const share = (energy + recoil * cosine) / mass;
  const kick = recoil * Math.sqrt(1 - cosine ** 2);
  return split(parent, share, kick / (parent.momentum * share * (1 - share)), random);
}

/** Breit-Wigner line, cut at ten widths. */
function drawMass(kind: keyof typeof masses, random: Random): number {
  const { mass, width } = masses[kind];
  const reach = Math.atan(20);
  return mass + (width / 2) * Math.tan(reach * (2 * random.uniform() - 1));
}

/**
 * Two particles at an angle; the first takes the given share of the momentum. Their centre stays in
 * place.
 */
function split(
  whole: Particle,
  share: number,
  angle: number,
  random: Random,
): [Particle, Particle] {
  const turn = 2 * Math.PI * random.uniform();
  const dx = angle * Math.cos(turn);
  const dy = angle * Math.sin(turn);
  const { momentum, x, y } = whole;
  return [
    { momentum: momentum * share, x: x + (1 - share) * dx, y: y + (1 - share) * dy },
    { momentum: momentum * (1 - share), x: x - share * dx, y: y - share * dy },
  ];
}

/**
 * A parton shower ordered in angle: each parton emits gluons at ever smaller angles, with the
 * splitting functions of QCD and a running coupling, as long as the kick across is above
 * `softestKick`. (Gluons do not split to quarks here.) Proposals come from a simpler, larger rate
 * and are accepted in proportion, the veto algorithm.
 */
function radiate(start: Parton, random: Random): Parton[] {
  const finished: Parton[] = [];
  const pending = [start];
  for (let parton = pending.pop(); parton !== undefined; parton = pending.pop()) {
    const softest = softestKick / (parton.momentum * parton.angle);
    if (softest >= 0.5) {
      finished.push(parton);
      continue;
    }
    const colour = parton.isGluon ? gluonColour : quarkColour;
    const rate = ((2 * colour) / Math.PI) * coupling(softestKick) * -Math.log(softest);
    const angle = parton.angle * (1 - random.uniform()) ** (1 / rate);
    const share = softest ** random.uniform();
    const kick = Math.min(share, 1 - share) * parton.momentum * angle;
    const shape = parton.isGluon ? (1 - share) * (1 + share ** 2 / 2) : (1 + (1 - share) ** 2) / 2;
    const isAccepted =
      kick > softestKick && random.uniform() < (shape * coupling(kick)) / coupling(softestKick);
    if (isAccepted) {
      const [gluon, rest] = split(parton, share, angle, random);
      pending.push({ ...rest, isGluon: parton.isGluon, angle });
      pending.push({ ...gluon, isGluon: true, angle });
    } else {
      pending.push({ ...parton, angle });
    }
  }
  return finished;
}

/** The strong coupling at a kick across. */
function coupling(kick: number): number {
  return 1 / (couplingSlope * 2 * Math.log(kick / lambda));
}

/** A parton ends as two or three hadrons with some 0.3 GeV of kick between them. */
function hadronise(parton: Particle, random: Random): Particle[] {
  const count = 2 + random.below(2);
  const hadrons: Particle[] = [];
  let rest = parton;
  for (let i = 1; i < count; i++) {
    const share = 0.1 + 0.8 * random.uniform();
    const kick = 0.3 * Math.abs(random.normal());
    const angle = Math.min(kick / (rest.momentum * share * (1 - share)), coneRadius);
    const [hadron, other] = split(rest, share, angle, random);
    hadrons.push(hadron);
    rest = other;
  }
  return [...hadrons, rest];
}

function simulatePileUp(random: Random): Particle[] {
  const particles: Particle[] = [];
  // Exponential gaps between particles make their number a Poisson number.
  for (let gap = drawExponential(random); gap < pileUpCount; gap += drawExponential(random)) {
    const radius = coneRadius * Math.sqrt(random.uniform());
    const turn = 2 * Math.PI * random.uniform();
    particles.push({
      momentum: detectionThreshold + pileUpMomentum * drawExponential(random),
      x: radius * Math.cos(turn),
      y: radius * Math.sin(turn),
    });
  }
  return particles;
}

/**
 * Charged hadrons are tracked well; photons and neutral hadrons are seen by coarser calorimeters.
 */
function measure(hadron: Particle, random: Random): Particle {
  const species = random.uniform();
  const { momentum } = hadron;
  if (species < 0.6) return smear(hadron, 0.01, 0.001, random);
  if (species < 0.85)
    return smear(hadron, Math.hypot(0.05 / Math.sqrt(momentum), 0.01), 0.01, random);
  return smear(hadron, Math.hypot(1 / Math.sqrt(momentum), 0.05), 0.03, random);
}

function smear(
  { momentum, x, y }: Particle,
  spread: number,
  blur: number,
  random: Random,
): Particle {
  return {
    momentum: momentum * (1 + spread * random.normal()),
    x: x + blur * random.normal(),
    y: y + blur * random.normal(),
  };
}

/** Puts the axis at the centre of momentum and drops what lies outside the cone. */
function gather(particles: readonly Particle[]): Particle[] {
  const total = particles.reduce((sum, { momentum }) => sum + momentum, 0);
  const axisX = particles.reduce((sum, { momentum, x }) => sum + (momentum * x) / total, 0);
  const axisY = particles.reduce((sum, { momentum, y }) => sum + (momentum * y) / total, 0);
  return particles
    .map(({ momentum, x, y }) => ({ momentum, x: x - axisX, y: y - axisY }))
    .filter(({ x, y }) => Math.hypot(x, y) < coneRadius);
}

function drawExponential(random: Random): number {
  return -Math.log(1 - random.uniform());
}

export function distance(a: Particle, b: Particle): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
