import {
  type Bundle,
  bundlePaths,
  type Manifest,
  packetBytes,
  type Timing,
  WeightsReader,
} from "../artifact/index.ts";
import { type Graph, parseGraph, type Registry, workOf } from "../ir/index.ts";
import {
  type Kernel,
  packSamples,
  type SimulatedKernel,
  type Simulation,
} from "../runtime/index.ts";
import type { Samples } from "../tensor/index.ts";
import { type Comparison, comparePackets } from "./compare.ts";
import { checkFloat, type FloatCheck, type FloatReference } from "./float-check.ts";
import { oraclePackets } from "./golden.ts";
import { makeVectors, type TestVectors } from "./vectors.ts";

/** A back end that is at hand, or why it is not. */
export type Backend<K> = { readonly kernel: K } | { readonly skipped: string };

/** What verification has to work with. The caller opens and closes devices. */
export interface VerifyInput {
  readonly bundle: Bundle;
  readonly ops: Registry;
  readonly emulator: Kernel;
  readonly rtl: Backend<SimulatedKernel>;
  readonly icarus: Backend<SimulatedKernel>;
  readonly reference: FloatReference | { readonly skipped: string };
  /** Vectors to compare on, at least. */
  readonly samples: number;
  readonly seed: number;
  readonly onProgress?: (step: string) => void;
}

export interface RtlComparison extends Comparison, Timing {
  readonly predictedLatencyCycles: number;
  readonly predictedIntervalCycles: number;
  /** What the bench saw of broken handshakes. */
  readonly violations: readonly string[];
  /** Simulated, of the run with random stalls; by the clock on the wall. */
  readonly inferencesPerSecond: number;
}

/** The document of `verify --json`. */
export interface VerifyReport {
  readonly bundle: string;
  readonly name: string;
  /** True only if everything that ran agreed in every bit and every cycle. */
  readonly ok: boolean;
  readonly samples: number;
  readonly vectors: TestVectors["kinds"];
  readonly seed: number;
  readonly backends: {
    readonly oracle: Comparison;
    readonly rtl?: RtlComparison;
    readonly icarus?: RtlComparison;
  };
  readonly skipped: Readonly<Record<string, string>>;
  readonly float: FloatCheck | null;
}

/** Operations that the slow oracle may spend. */
const oracleBudget = 4_000_000;
/** Vectors for the second simulator, which interprets, at most. */
const icarusLimit = 24;
/** Look-up tables times cycles that it is given: some ten seconds. */
const icarusBudget = 30_000_000;

/** Look-up tables and registers times cycles that the first simulator is given: about a minute. */
const rtlBudget = 40_000_000_000;
/** Vectors that it is given of a design of any size. */
const rtlLeast = 16;

/** How many vectors the first simulator does of a large design in its time. */
function rtlVectors({ resources, predicted }: Manifest["kernel"]): number {
  const perVector = (resources.lut + resources.ff) * predicted.intervalCycles;
  return Math.max(rtlLeast, Math.floor(rtlBudget / Math.max(1, perVector)));
}

/** How many vectors the second simulator can do of a design in its time; 0 for a very large one. */
export function icarusVectors({ resources, predicted }: Manifest["kernel"]): number {
  // Each vector runs twice, and twice the latency passes before the first comes out.
  const cycles = Math.floor(icarusBudget / (resources.lut + resources.ff));
  const vectors = Math.floor(
    (cycles / 2 - predicted.latencyCycles) / predicted.intervalCycles / 1.5,
  );
  // Fewer than three would measure no interval.
  return vectors < 3 ? 0 : Math.min(icarusLimit, vectors);
}

/**
 * Compares all back ends that are at hand with the emulator, bit for bit, and the cycles with the
 * prediction; and the emulator with the oracle and with the float network.
 */
export async function verifyBundle(input: VerifyInput): Promise<VerifyReport> {
  const { bundle, ops, emulator, seed, onProgress = () => {} } = input;
  const { inputs, outputs, kernel } = bundle.manifest;
  bundle.verifyAll();
  const graph = readNetwork(bundle, ops);
  const samples = readSamples(bundle);
  const sampled = packSamples(samples, inputs, samples.count);
  const golden = bundle.read(bundlePaths.goldenInputs);
  const vectors = makeVectors(inputs, golden, sampled, input.samples, seed);

  onProgress(`emulator: ${vectors.count} vectors`);
  const answers = await emulator.run(vectors.packets, vectors.count);
  const oracle = compareWithOracle(graph, ops, vectors, answers, bundle);

  const simulate = (backend: Backend<SimulatedKernel>, count: number) =>
    "skipped" in backend
      ? undefined
      : compareSimulation(backend.kernel, bundle, vectors, answers, count, seed);
  const rtlCount = Math.min(rtlVectors(kernel), vectors.count);
  onProgress(`RTL: ${rtlCount} vectors with random stalls`);
  const rtl = await simulate(input.rtl, rtlCount);
  onProgress("second simulator");
  const icarus = await simulate(input.icarus, Math.min(icarusVectors(kernel), vectors.count));

  onProgress("float network");
  const first = golden.length / packetBytes(inputs);
  const stride = packetBytes(outputs);
  const float =
    "skipped" in input.reference
      ? null
      : await checkFloat(input.reference, {
          graph,
          ops,
          inputs,
          outputs,
          samples,
          packets: sampled,
          answers: answers.subarray(first * stride, (first + samples.count) * stride),
          layerSamples: Math.max(1, Math.min(32, Math.floor(oracleBudget / 4 / workOf(graph)))),
        });

  const skipped = Object.fromEntries(
    Object.entries({ rtl: input.rtl, icarus: input.icarus, float: input.reference }).flatMap(
      ([name, backend]) => ("skipped" in backend ? [[name, backend.skipped]] : []),
    ),
  );
  const agrees = (result: RtlComparison | undefined) =>
    result === undefined ||
    (result.mismatches === 0 &&
      result.violations.length === 0 &&
      result.latencyCycles === kernel.predicted.latencyCycles &&
      result.intervalCycles === kernel.predicted.intervalCycles);
  return {
    bundle: bundle.folder,
    name: bundle.manifest.name,
    ok: oracle.mismatches === 0 && agrees(rtl) && agrees(icarus),
    samples: vectors.count,
    vectors: vectors.kinds,
    seed,
    backends: { oracle, ...(rtl && { rtl }), ...(icarus && { icarus }) },
    skipped,
    float,
  };
}

/** The quantized network of a bundle. @throws N2F_GRAPH_TEXT, N2F_BUNDLE_CORRUPT */
export function readNetwork(bundle: Bundle, ops: Registry): Graph {
  const text = new TextDecoder().decode(bundle.read(bundlePaths.network));
  return parseGraph(text, ops, new WeightsReader(bundle.read(bundlePaths.weights)));
}

/** The real inputs that travel with a bundle. */
export function readSamples(bundle: Bundle): Samples {
  const { inputs } = bundle.manifest;
  const bytes = bundle.read(bundlePaths.samples);
  const numbers = new Float32Array(bytes.slice().buffer);
  const sizes = inputs.map((port) => port.sizeBytes / port.elementBytes);
  const perInference = sizes.reduce((a, b) => a + b, 0);
  const count = Math.floor(numbers.length / perInference);
  let skip = 0;
  const data = inputs.map(({ name }, k): [string, Float64Array] => {
    const start = skip;
    skip += sizes[k];
    const all = new Float64Array(count * sizes[k]);
    for (let i = 0; i < count; i++) {
      const at = i * perInference + start;
      all.set(numbers.subarray(at, at + sizes[k]), i * sizes[k]);
    }
    return [name, all];
  });
  return { count, data: new Map(data) };
}

/** The golden answers (which the oracle made) and as many more vectors as its budget allows, from the end. */
function compareWithOracle(
  graph: Graph,
  ops: Registry,
  vectors: TestVectors,
  answers: Uint8Array,
  bundle: Bundle,
): Comparison {
  const { inputs, outputs } = bundle.manifest;
  const goldenCount = vectors.kinds.golden;
  const stored = comparePackets(
    outputs,
    bundle.read(bundlePaths.goldenOutputs),
    answers,
    goldenCount,
  );
  // Corners and random codes stand last: they reach where samples do not.
  const more = Math.min(
    vectors.count - goldenCount,
    Math.max(1, Math.floor(oracleBudget / workOf(graph))),
  );
  const start = vectors.count - more;
  const packets = vectors.packets.subarray(start * packetBytes(inputs));
  const computed = oraclePackets(graph, ops, packets, more, inputs, outputs);
  const fresh = comparePackets(
    outputs,
    computed,
    answers.subarray(start * packetBytes(outputs)),
    more,
  );
  const first = stored.first ?? fresh.first;
  return {
    samples: goldenCount + more,
    mismatches: stored.mismatches + fresh.mismatches,
    ...(first && { first }),
  };
}

async function compareSimulation(
  kernel: SimulatedKernel,
  bundle: Bundle,
  vectors: TestVectors,
  answers: Uint8Array,
  count: number,
  seed: number,
): Promise<RtlComparison> {
  const { inputs, outputs, kernel: plan } = bundle.manifest;
  // The last vectors are the random ones, the first the golden: a short run takes both ends.
  const stride = packetBytes(inputs);
  const start = vectors.count - count;
  const packets = vectors.packets.subarray(start * stride);
  const expected = answers.subarray(start * packetBytes(outputs));
  const started = performance.now();
  const stalled = await kernel.simulate(packets, count, {
    stallInPercent: 30,
    stallOutPercent: 30,
    seed,
  });
  const seconds = Math.max(1e-6, (performance.now() - started) / 1000);
  const compared = comparePackets(outputs, expected, stalled.outputs, count);
  const timed = Math.min(count, 32);
  const free = await kernel.simulate(packets.subarray(0, timed * stride), timed, {
    stallInPercent: 0,
    stallOutPercent: 0,
    seed,
  });
  const freely = comparePackets(outputs, expected, free.outputs, timed);
  const first = compared.first ?? freely.first;
  return {
    samples: count,
    mismatches: compared.mismatches + freely.mismatches,
    ...(first && { first }),
    ...measureTiming(free),
    predictedLatencyCycles: plan.predicted.latencyCycles,
    predictedIntervalCycles: plan.predicted.intervalCycles,
    violations: [...new Set([...stalled.violations, ...free.violations])],
    inferencesPerSecond: count / seconds,
  };
}

/**
 * Latency of the first inference; interval of the results in the second half of a run without stalls (inputs are
 * taken faster as long as FIFOs fill). Where the gaps between inferences come in a pattern (18, 18, 9 cycles and
 * again), it is the mean of the pattern.
 */
export function measureTiming({ inputCycles, outputCycles }: Simulation): Timing {
  const last = outputCycles.length - 1;
  const middle = Math.floor(last / 2);
  const gap = (at: number) => outputCycles[at] - outputCycles[at - 1];
  const repeatsAfter = (gaps: number) => {
    for (let at = last; at - gaps > middle; at--) if (gap(at) !== gap(at - gaps)) return false;
    return true;
  };
  let gaps = 1;
  while (2 * gaps <= last - middle && !repeatsAfter(gaps)) gaps++;
  const first = 2 * gaps <= last - middle ? last - gaps : middle;
  return {
    latencyCycles: outputCycles[0] - inputCycles[0],
    intervalCycles:
      last === first ? 0 : (outputCycles[last] - outputCycles[first]) / (last - first),
  };
}
