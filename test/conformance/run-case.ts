import type { Manifest } from "../../src/artifact/index.ts";
import { Nn2fpgaError } from "../../src/base/index.ts";
import { emitEmulator } from "../../src/emit/emulator/index.ts";
import { evaluate, type Graph, getValue, inputsOf, type ValueId } from "../../src/ir/index.ts";
import { ops } from "../../src/ops/index.ts";
import { runPasses } from "../../src/passes/index.ts";
import { portsOf } from "../../src/ports-of.ts";
import {
  defaultQuantizeOptions,
  gatherStatistics,
  quantizeGraph,
} from "../../src/quantize/index.ts";
import { instantiateEmulator, type Kernel, predict } from "../../src/runtime/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { type Attempt, attemptsOf, type Prepared, prepare } from "./attempt.ts";
import { becomesWith } from "./becomes.ts";
import { type Case, type CaseEntry, readCase } from "./case.ts";
import { fixedDifference, floatDifference } from "./compare.ts";
import { textOf } from "./scope.ts";

export const modes = ["float", "fixed"] as const;

/** `float`: import and passes. `fixed`: and 24-bit quantization, through the emulator. */
export type Mode = (typeof modes)[number];

/** What became of a case in one mode. */
export interface Outcome {
  /** `constant`: all outputs are worked out at import, so there is no kernel to run. */
  readonly status: "pass" | "fail" | "constant";
  /** Which inputs were free. */
  readonly attempt?: string;
  /** Version of the standard operators that the case uses. */
  readonly opset?: number;
  /** The primitive operators that it becomes, where it is one node. */
  readonly becomes?: readonly string[];
  /** Why it failed. */
  readonly reason?: string;
  readonly effort?: Effort;
}

/** What a case took; of use where it had a process to itself. */
export interface Effort {
  /** CPU time in all. */
  readonly cpuSeconds: number;
  /** CPU time until it was quantized: reading, import, passes, one inference for calibration, quantization. */
  readonly quantizedSeconds?: number;
  /** The most memory that the process had. */
  readonly peakMb: number;
}

/** Working precision of the fixed mode. Tables are as large as they may be. */
const fixedOptions = {
  ...defaultQuantizeOptions,
  default: { kind: "width", widthBits: 24 },
  tableBits: 16,
} as const;

/** Nothing is thrown: a fault of ours is a failure like any other, and says so. */
export async function runCase(entry: CaseEntry, mode: Mode): Promise<Outcome> {
  const start = process.cpuUsage();
  const seconds = (): number => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1e6;
  };
  let quantizedSeconds: number | undefined;
  const outcome = await attemptCase(entry, mode, () => {
    quantizedSeconds = seconds();
  });
  const effort = {
    cpuSeconds: seconds(),
    ...(quantizedSeconds !== undefined && { quantizedSeconds }),
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
  return { ...outcome, effort };
}

async function attemptCase(
  entry: CaseEntry,
  mode: Mode,
  onQuantized: () => void,
): Promise<Outcome> {
  let refusal = "";
  try {
    const subject = readCase(entry);
    for (const attempt of attemptsOf(subject)) {
      try {
        return await runAttempt(subject, attempt, mode, onQuantized);
      } catch (error) {
        if (!(error instanceof Nn2fpgaError)) throw error;
        refusal ||= textOf(error);
        // The last word counts: with all inputs free much is refused that real models do not ask for.
        if (attempt.name !== "all constant") refusal = textOf(error);
      }
    }
  } catch (error) {
    const { name, message, stack } = error as Error;
    const where = stack?.split("\n").find((line) => line.includes("/src/")) ?? "";
    const place = /src\/[\w./-]+:\d+/.exec(where)?.[0] ?? "";
    return { status: "fail", reason: `FAULT ${name}: ${message} (${place})` };
  }
  return { status: "fail", reason: refusal };
}

async function runAttempt(
  subject: Case,
  attempt: Attempt,
  mode: Mode,
  onQuantized: () => void,
): Promise<Outcome> {
  const prepared = prepare(subject, attempt);
  const name = attempt.name;
  if (prepared.graph === undefined && mode === "fixed") return { status: "constant" };
  const computed = await computeOutputs(subject, attempt, prepared, mode, onQuantized);
  const difference = mode === "float" ? floatDifference : fixedDifference;
  const reasons = prepared.outputs.flatMap((output, i) => {
    const actual = typeof output === "number" ? computed[output] : output;
    const text = difference(actual, subject.outputs[i]);
    return text === "" ? [] : [`output ${i}: ${text}`];
  });
  if (reasons.length === 0) {
    const { opsets } = subject.model;
    const becomes = becomesWith(subject, prepared);
    return { status: "pass", attempt: name, opset: opsets.get("") ?? 0, becomes };
  }
  return { status: "fail", attempt: name, reason: reasons.join("; ") };
}

async function computeOutputs(
  subject: Case,
  attempt: Attempt,
  { graph }: Prepared,
  mode: Mode,
  onQuantized: () => void,
): Promise<readonly Tensor[]> {
  if (graph === undefined) return [];
  const feed = feedOf(graph, subject, attempt);
  const simple = runPasses(graph, ops);
  if (mode === "fixed") return runFixed(simple, feed, onQuantized);
  const values = evaluate(simple, ops, feed);
  return simple.outputs.map(({ value }) => values.get(value) as Tensor);
}

function feedOf(graph: Graph, subject: Case, attempt: Attempt): ReadonlyMap<ValueId, Tensor> {
  const free = subject.inputs.filter((_, i) => attempt.isFree(subject, i));
  return new Map(
    inputsOf(graph).map(({ id, shape, dtype }, i) => [
      id,
      { shape, dtype, data: free[i].tensor.data },
    ]),
  );
}

/** Calibrated on the one inference that is then run. */
async function runFixed(
  graph: Graph,
  feed: ReadonlyMap<ValueId, Tensor>,
  onQuantized: () => void,
): Promise<readonly Tensor[]> {
  const statistics = gatherStatistics(graph, ops, [feed]);
  const quantized = quantizeGraph(graph, ops, statistics, fixedOptions);
  onQuantized();
  const ports = portsOf(quantized);
  const emulator = emitEmulator(quantized.graph, ops, ports.inputs, ports.outputs);
  const instance = instantiateEmulator(graph.name, emulator, ports);
  const kernel = {
    run: async (packets: Uint8Array, count: number) => instance.run(packets, count),
  } as Kernel;
  const data = new Map([...feed].map(([id, tensor]) => [id as string, tensor.data]));
  const answers = await predict(kernel, ports as unknown as Manifest, { count: 1, data });
  return answers.map(({ tensor }, i) => {
    const { shape, dtype } = getValue(graph, graph.outputs[i].value);
    return { shape, dtype, data: tensor.data };
  });
}
