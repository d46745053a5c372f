import type { Net } from "../design/index.ts";
import type { KernelWord, PrimitiveOp, Registry } from "../ir/index.ts";

/** What an operator becomes in each architecture. Modules are those of `hw/rtl`. */
export interface HardwarePlan {
  /** What its pipeline is made of, unrolled (parallel) or over the lanes of a beat (stream); none: wires. */
  readonly nets: readonly Net["kind"][];
  /** Modules in the parallel architecture: those that some nets are, and the engine of `reuse`. */
  readonly parallel: readonly string[];
  /** Modules in the stream architecture, beside those of a pipeline; nothing where it cannot be streamed. */
  readonly stream: readonly string[] | undefined;
  /** Whether a stream may have it in a pipeline between modules, as the parallel architecture has it. */
  readonly isLocal: boolean;
  /** What the stream architecture asks for. */
  readonly condition?: string;
}

type Word = KernelWord["kind"];

// The last step over several pixels of a beat is a pool.
const reductions = ["n2f_pool", "n2f_reduce", "n2f_reduce_lanes"];
const rom = ["n2f_lut", "n2f_rom"];
const local = { stream: [], isLocal: true } as const;

/** Modules that join any others: packets, FIFOs, copies, other lanes, stages of a pipeline, states that come back. */
export const plumbing: readonly string[] = [
  "n2f_axis_lanes_in",
  "n2f_axis_lanes_out",
  "n2f_axis_pack",
  "n2f_axis_unpack",
  "n2f_constants",
  "n2f_fifo",
  "n2f_fork",
  "n2f_join",
  "n2f_loop",
  "n2f_pipe_valid",
  "n2f_split",
  "n2f_width",
];

/** The plan of each word of a kernel: generators know operators by their words alone. */
const wordPlans: Readonly<Record<Word, HardwarePlan>> = {
  gather: {
    nets: [],
    parallel: [],
    stream: ["n2f_reorder", "n2f_concat", "n2f_upsample"],
    isLocal: true,
    condition:
      "beyond 8,192 bits no constants among what is joined, and what is filled in is a frame",
  },
  binary: {
    nets: ["add", "negate", "shift_left", "mul", "extreme"],
    parallel: [],
    stream: ["n2f_upsample"],
    isLocal: true,
  },
  clamp: { nets: ["clamp"], parallel: [], ...local },
  requantize: { nets: ["requantize", "shift_left"], parallel: ["n2f_requantize"], ...local },
  slope: {
    nets: ["greater", "choose", "add", "negate", "shift_left", "mul"],
    parallel: [],
    ...local,
  },
  table: { nets: ["table"], parallel: rom, ...local },
  scale: {
    nets: ["add", "negate", "shift_left", "mul", "requantize", "clamp"],
    parallel: ["n2f_requantize"],
    ...local,
  },
  threshold: { nets: ["greater", "add", "negate", "shift_left", "table"], parallel: rom, ...local },
  reduce: {
    nets: ["add", "shift_left", "extreme", "greater", "choose"],
    parallel: [],
    stream: reductions,
    isLocal: true,
  },
  matmul: {
    nets: ["add", "negate", "shift_left", "mul"],
    parallel: ["n2f_matvec"],
    stream: ["n2f_mvu", "n2f_matmul2"],
    isLocal: false,
  },
};

const windows = ["n2f_window_line", "n2f_window_mem", "n2f_slice"];
const overWindows = "windows over one or two axes, of one picture";

/** Operators that the stream architecture knows by name, since their index maps would be large. */
const streamPlans: Readonly<Record<string, Pick<HardwarePlan, "stream" | "condition">>> = {
  conv: { stream: [...windows, "n2f_mvu", "n2f_depthwise"], condition: overWindows },
  max_pool: { stream: [...windows, ...reductions], condition: overWindows },
  sum_pool: { stream: [...windows, ...reductions], condition: overWindows },
};

/** What one of our primitive operators becomes. */
export function hardwarePlan({ name, words, isSequence }: PrimitiveOp): HardwarePlan {
  const plan = joined(words.map((word) => wordPlans[word]));
  const own = streamPlans[name];
  if (own !== undefined) return { ...plan, isLocal: false, ...own };
  return isSequence === true ? { ...plan, stream: undefined, isLocal: false } : plan;
}

/**
 * The same of several operators together; composite ones as what they are made of. It is local where any of
 * them is.
 */
export function hardwareOf(ops: Registry, names: readonly string[]): HardwarePlan {
  const plans = new Map<string, HardwarePlan>();
  const visit = (name: string): void => {
    const op = ops.get(name);
    if (op?.kind === "primitive") plans.set(name, hardwarePlan(op));
    else op?.madeOf.forEach(visit);
  };
  names.forEach(visit);
  const all = [...plans.values()];
  return { ...joined(all), isLocal: all.some(({ isLocal, nets }) => isLocal && nets.length > 0) };
}

function joined(plans: readonly HardwarePlan[]): HardwarePlan {
  const all = <T>(of: (plan: HardwarePlan) => readonly T[]): readonly T[] => [
    ...new Set(plans.flatMap(of)),
  ];
  const conditions = all(({ condition }) => (condition === undefined ? [] : [condition]));
  const isStreamed = plans.every(({ stream }) => stream !== undefined);
  return {
    nets: all((plan) => plan.nets),
    parallel: all((plan) => plan.parallel),
    stream: isStreamed ? all((plan) => plan.stream ?? []) : undefined,
    isLocal: plans.every((plan) => plan.isLocal),
    ...(conditions.length > 0 && { condition: conditions.join("; ") }),
  };
}
