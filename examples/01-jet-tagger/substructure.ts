import { coneRadius, distance, type Particle } from "./jets.ts";

/** The sixteen inputs of the tagger, in order. */
export const featureNames = [
  "multiplicity",
  "sum_z_log_z",
  "c1_b0",
  "c1_b1",
  "mass",
  "mass_mmdt",
  "share_mmdt",
  "angle_mmdt",
  "c2_b1",
  "c2_b2",
  "d2_b1",
  "d2_b2",
  "m2_b1",
  "n2_b1",
  "tau21",
  "tau32",
] as const;

/**
 * Sums over triplets look at this many particles, the hardest: their number grows with the cube.
 */
const tripletParticles = 50;

/** Momentum sharing below which grooming drops the softer branch. */
const groomingShare = 0.1;

/** Substructure of a jet of at least three particles, in the order of `featureNames`. */
export function describeJet(particles: readonly Particle[]): number[] {
  const total = particles.reduce((sum, { momentum }) => sum + momentum, 0);
  const shares = particles.map(({ momentum }) => momentum / total);
  const branches = particles.map((p): Branch => ({ ...p, inertia: 0, parts: undefined }));
  const groomed = groom(cluster(branches, 1, 0)[0]);
  const threeAxes = cluster(branches, 3, 1);
  const twoAxes = cluster(threeAxes, 2, 1);
  const tau1 = measureSpread(particles, cluster(twoAxes, 1, 1), total);
  const tau2 = measureSpread(particles, twoAxes, total);
  const tau3 = measureSpread(particles, threeAxes, total);
  const e = correlate(particles, total);
  return [
    particles.length,
    shares.reduce((sum, z) => sum + z * Math.log(z), 0),
    (1 - shares.reduce((sum, z) => sum + z ** 2, 0)) / 2,
    e.pairs1,
    total * Math.sqrt(e.pairs2),
    groomed.mass,
    groomed.share,
    groomed.angle,
    e.triplets1 / e.pairs1 ** 2,
    e.triplets2 / e.pairs2 ** 2,
    e.triplets1 / e.pairs1 ** 3,
    e.triplets2 / e.pairs2 ** 3,
    e.smallest1 / e.pairs1,
    e.twoSmallest1 / e.pairs1 ** 2,
    tau2 / tau1,
    tau3 / tau2,
  ];
}

/**
 * Energy correlation functions: sums over pairs of z_i z_j angle^b, and over triplets of z_i z_j
 * z_k times the product of all three angles, of the smallest, or of the two smallest. The digit in
 * a name is b.
 *
 * @see https://arxiv.org/abs/1305.0007 for C, https://arxiv.org/abs/1409.6298 for D
 * @see https://arxiv.org/abs/1609.07483 for M and N
 */
function correlate(particles: readonly Particle[], total: number) {
  const hardest = [...particles].sort((a, b) => b.momentum - a.momentum);
  const count = hardest.length;
  const z = Float64Array.from(hardest, ({ momentum }) => momentum / total);
  const angle = new Float64Array(count * count);
  let pairs1 = 0;
  let pairs2 = 0;
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < i; j++) {
      const a = distance(hardest[i], hardest[j]);
      angle[i * count + j] = a;
      pairs1 += z[i] * z[j] * a;
      pairs2 += z[i] * z[j] * a * a;
    }
  }
  let triplets1 = 0;
  let triplets2 = 0;
  let smallest1 = 0;
  let twoSmallest1 = 0;
  for (let i = 2; i < Math.min(count, tripletParticles); i++) {
    for (let j = 1; j < i; j++) {
      const a = angle[i * count + j];
      for (let k = 0; k < j; k++) {
        const b = angle[i * count + k];
        const c = angle[j * count + k];
        const weight = z[i] * z[j] * z[k];
        const product = a * b * c;
        triplets1 += weight * product;
        triplets2 += weight * product * product;
        smallest1 += weight * Math.min(a, b, c);
        twoSmallest1 += weight * Math.min(a * b, a * c, b * c);
      }
    }
  }
  return { pairs1, pairs2, triplets1, triplets2, smallest1, twoSmallest1 };
}

/**
 * N-subjettiness: mean angle to the nearest axis, in units of the cone.
 *
 * @see https://arxiv.org/abs/1011.2268
 */
function measureSpread(
  particles: readonly Particle[],
  axes: readonly Particle[],
  total: number,
): number {
  let sum = 0;
  for (const particle of particles) {
    let nearest = Number.POSITIVE_INFINITY;
    for (const axis of axes) nearest = Math.min(nearest, distance(particle, axis));
    sum += particle.momentum * nearest;
  }
  return sum / (total * coneRadius);
}

/** A particle or a cluster of two branches. */
interface Branch extends Particle {
  /**
   * Sum of momentum times squared angle to the centre; times the momentum it is the squared mass.
   */
  readonly inertia: number;
  readonly parts: readonly [Branch, Branch] | undefined;
}

/**
 * Merges the closest two until `wanted` clusters are left. Closest is by angle (`power` 0,
 * Cambridge-Aachen) or by angle times the smaller momentum (`power` 1, kt).
 */
function cluster(start: readonly Branch[], wanted: number, power: 0 | 1): Branch[] {
  const slots: (Branch | undefined)[] = [...start];
  // Each slot knows its nearest other one, so that a merger costs about one pass and not one over
  // all pairs.
  const nearest = new Int32Array(slots.length);
  const gap = new Float64Array(slots.length);
  const findNearest = (i: number, branch: Branch) => {
    gap[i] = Number.POSITIVE_INFINITY;
    slots.forEach((other, j) => {
      if (other === undefined || j === i) return;
      const between = separation(branch, other, power);
      if (between >= gap[i]) return;
      gap[i] = between;
      nearest[i] = j;
    });
  };
  start.forEach((branch, i) => {
    findNearest(i, branch);
  });

  for (let left = start.length; left > wanted; left--) {
    const from = gap.indexOf(gap.reduce((a, b) => Math.min(a, b)));
    const into = nearest[from];
    const merged = merge(slots[from] as Branch, slots[into] as Branch);
    slots[into] = merged;
    slots[from] = undefined;
    gap[from] = Number.POSITIVE_INFINITY;
    slots.forEach((branch, i) => {
      if (branch === undefined) return;
      if (i === into || nearest[i] === into || nearest[i] === from) findNearest(i, branch);
      else if (separation(branch, merged, power) < gap[i]) {
        gap[i] = separation(branch, merged, power);
        nearest[i] = into;
      }
    });
  }
  return slots.filter((branch) => branch !== undefined);
}

function separation(a: Branch, b: Branch, power: 0 | 1): number {
  const squared = (a.x - b.x) ** 2 + (a.y - b.y) ** 2;
  return power === 0 ? squared : squared * Math.min(a.momentum, b.momentum) ** 2;
}

function merge(a: Branch, b: Branch): Branch {
  const momentum = a.momentum + b.momentum;
  const shareA = a.momentum / momentum;
  const squared = (a.x - b.x) ** 2 + (a.y - b.y) ** 2;
  return {
    momentum,
    x: b.x + (a.x - b.x) * shareA,
    y: b.y + (a.y - b.y) * shareA,
    inertia: a.inertia + b.inertia + ((a.momentum * b.momentum) / momentum) * squared,
    parts: [a, b],
  };
}

/**
 * Modified mass drop (soft drop without dependence on angle): opens the clustering from the outside
 * and drops the softer branch until the two share the momentum well.
 *
 * @see https://arxiv.org/abs/1307.0007
 */
function groom(jet: Branch): { mass: number; share: number; angle: number } {
  let branch = jet;
  while (branch.parts !== undefined) {
    const [a, b] = branch.parts;
    const share = Math.min(a.momentum, b.momentum) / branch.momentum;
    if (share > groomingShare) {
      return { mass: Math.sqrt(branch.momentum * branch.inertia), share, angle: distance(a, b) };
    }
    branch = a.momentum > b.momentum ? a : b;
  }
  return { mass: 0, share: 0, angle: 0 };
}
