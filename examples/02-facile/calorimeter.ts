import type { Random } from "../../src/base/index.ts";

/**
 * A toy of one channel of a sampling calorimeter with scintillator and silicon photomultipliers,
 * read out as eight charges, 25 ns each. Energies are in GeV, times in ns, charges in fC.
 */
export interface Channel {
  /** Ring number along the beam, -29 .. 29 without 0. */
  readonly eta: number;
  /** Sector around the beam, 1 .. 72. */
  readonly phi: number;
  /** Layer, 1 the innermost, up to `depths`. */
  readonly depth: number;
  /** Charge of one photoelectron, as the calibration system measured it. */
  readonly gain: number;
}

export interface Pulse {
  readonly channel: Channel;
  /** What the collision of interest left in the channel. */
  readonly energy: number;
  /** The digitiser's codes, 0 .. 255. */
  readonly codes: readonly number[];
}

export const depths = 7;
export const samples = 8;
/** The sample in which the collision of interest takes place. */
export const sampleOfInterest = 3;

const samplePeriod = 25;
const lastBarrelRing = 16;
const rings = 29;
const sectors = 72;

const photoelectronsPerGev = 25;
const gainOfSmallSensors = 30;
const gainOfLargeSensors = 45;
const darkPhotoelectrons = 0.6;
const electronicNoise = 8;
const pedestal = 50;

/** The pulse rises and falls exponentially. */
const riseTime = 6;
const fallTime = 16;
const meanArrival = 5;
const jitter = 1.5;
/** Small pulses cross the front end's threshold later, by up to this. */
const slewing = 5;

/** Up to this charge the digitiser's scale is linear; above it is logarithmic, as asinh. */
const linearCharge = 60;
const codesPerUnit = 24;

export function simulatePulse(random: Random): Pulse {
  const channel = drawChannel(random);
  const energy = drawEnergy(random);
  const charges = new Array<number>(samples).fill(0);
  deposit(charges, energy, sampleOfInterest, channel, random);
  // One collision in each period; the late tail of earlier ones and the onset of later ones are
  // mixed in.
  for (let sample = -3; sample < samples; sample++) {
    deposit(charges, drawPileUp(channel, random), sample, channel, random);
  }
  const codes = charges.map((charge) => {
    const dark = channel.gain * drawPoisson(darkPhotoelectrons, random);
    return digitise(charge + dark + pedestal + electronicNoise * random.normal());
  });
  return { channel, energy, codes };
}

/**
 * Inputs of the network, in order: the codes, eta, phi, gain, and the depth as seven numbers, one
 * of them 1.
 */
export function describePulse({ channel, codes }: Pulse): number[] {
  const { eta, phi, gain, depth } = channel;
  const layer = Array.from({ length: depths }, (_, i) => Number(i + 1 === depth));
  return [...codes, eta, phi, gain, ...layer];
}

export const featureNames = [
  ...Array.from({ length: samples }, (_, i) => `code_${i}`),
  "eta",
  "phi",
  "gain",
  ...Array.from({ length: depths }, (_, i) => `depth_${i + 1}`),
] as const;

/**
 * The estimate one makes by hand: charge of the sample of interest and the next, less pedestals,
 * over the channel's mean response.
 */
export function estimateEnergy({ channel, codes }: Pulse): number {
  const flat = pedestal + channel.gain * darkPhotoelectrons;
  const first = undigitise(codes[sampleOfInterest]) - flat;
  const second = undigitise(codes[sampleOfInterest + 1]) - flat;
  const contained = integratePulse(2 * samplePeriod - meanArrival);
  const chargePerGev = channel.gain * photoelectronsPerGev * response(channel);
  return (first + second) / (chargePerGev * contained);
}

function drawChannel(random: Random): Channel {
  const ring = 1 + random.below(rings);
  const side = random.below(2) === 0 ? -1 : 1;
  const depth = 1 + random.below(ring <= lastBarrelRing ? 4 : depths);
  const nominal = depth <= 2 ? gainOfSmallSensors : gainOfLargeSensors;
  const gain = nominal * (1 + 0.08 * random.normal());
  return { eta: side * ring, phi: 1 + random.below(sectors), depth, gain };
}

/**
 * One channel in ten is empty; the others have an even share of every decade between 0.2 and 500
 * GeV.
 */
function drawEnergy(random: Random): number {
  return random.below(10) === 0 ? 0 : 0.2 * 2500 ** random.uniform();
}

/** Energy from another collision: rarer in the barrel and in the outer layers. */
function drawPileUp({ eta, depth }: Channel, random: Random): number {
  const forward = Math.abs(eta) / rings;
  const occupancy = (0.1 + 0.4 * forward) / Math.sqrt(depth);
  if (random.uniform() > occupancy) return 0;
  return -(0.3 + 2 * forward ** 2) * Math.log(1 - random.uniform());
}

/** Adds the charge of one collision's energy to the samples. */
function deposit(
  charges: number[],
  energy: number,
  sample: number,
  channel: Channel,
  random: Random,
): void {
  if (energy === 0) return;
  const photoelectrons = drawPoisson(energy * photoelectronsPerGev * response(channel), random);
  const charge = channel.gain * photoelectrons;
  const start = meanArrival + slewing / (1 + energy) + jitter * random.normal();
  for (let i = Math.max(sample, 0); i < samples; i++) {
    const since = (i - sample) * samplePeriod - start;
    charges[i] += charge * (integratePulse(since + samplePeriod) - integratePulse(since));
  }
}

/**
 * Light of a channel relative to a new one. Slanted particles cross more scintillator, radiation
 * has darkened the innermost forward layers, and the support structure shades one side a little.
 */
function response({ eta, phi, depth }: Channel): number {
  const ring = Math.abs(eta);
  const slant = ring <= lastBarrelRing ? 1 + 0.3 * (ring / lastBarrelRing) ** 2 : 1.1;
  const dose = Math.max(0, ring - lastBarrelRing) / (rings - lastBarrelRing);
  const darkening = Math.exp((-1.2 * dose ** 2) / depth);
  const shade = 1 + 0.04 * Math.cos((2 * Math.PI * phi) / sectors);
  return slant * darkening * shade;
}

/** Share of a pulse's charge up to a time after its start. */
function integratePulse(time: number): number {
  if (time <= 0) return 0;
  const both = (riseTime * fallTime) / (riseTime + fallTime);
  const falling = fallTime * (1 - Math.exp(-time / fallTime));
  const rising = both * (1 - Math.exp(-time / both));
  return (falling - rising) / (fallTime - both);
}

function digitise(charge: number): number {
  const code = Math.round(codesPerUnit * Math.asinh(charge / linearCharge));
  return Math.min(Math.max(code, 0), 255);
}

function undigitise(code: number): number {
  return linearCharge * Math.sinh(code / codesPerUnit);
}

function drawPoisson(mean: number, random: Random): number {
  // Far from zero a Poisson number is nearly normal.
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random.uniform(); product > limit; product *= random.uniform()) count++;
  return count;
}
