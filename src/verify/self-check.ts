import { type Bundle, bundlePaths, packetBytes, withFiles } from "../artifact/index.ts";
import { fail, Random } from "../base/index.ts";
import {
  type ConstValue,
  constQuant,
  formatOfCodes,
  type Graph,
  primitiveOf,
  quantArgs,
  type Registry,
  type Value,
} from "../ir/index.ts";
import type { SimulatedKernel } from "../runtime/index.ts";
import { comparePackets } from "./compare.ts";
import { oraclePackets } from "./golden.ts";

/** One fault that was planted, and whether the comparison saw it. */
export interface MutationResult {
  readonly fault: string;
  readonly caught: boolean;
  /** What gave it away. */
  readonly evidence: string;
}

export interface SelfCheckInput {
  readonly bundle: Bundle;
  readonly ops: Registry;
  readonly graph: Graph;
  /** The bundle with the hardware of another network, built with the bundle's own options. */
  readonly rebuild: (graph: Graph) => Bundle;
  /** Loads a simulator. */
  readonly load: (bundle: Bundle) => Promise<SimulatedKernel>;
  readonly packets: Uint8Array;
  readonly answers: Uint8Array;
  readonly count: number;
  readonly seed: number;
}

/**
 * Plants faults and must see them: one bit of one weight in the hardware, and a stage that does not wait
 * for the sink. A check that cannot fail proves nothing.
 */
export async function selfCheck(input: SelfCheckInput): Promise<MutationResult[]> {
  return [await flipWeight(input), await breakHandshake(input)];
}

async function runMutant(
  { load, packets, answers, count, seed }: SelfCheckInput,
  bundle: Bundle,
): Promise<{ caught: boolean; evidence: string }> {
  const kernel = await load(bundle);
  try {
    const stalls = { stallInPercent: 30, stallOutPercent: 30, seed };
    const { outputs, violations } = await kernel.simulate(packets, count, stalls);
    const { mismatches } = comparePackets(bundle.manifest.outputs, answers, outputs, count);
    const evidence = [
      ...(mismatches > 0 ? [`${mismatches} numbers differ`] : []),
      ...violations,
    ].join("; ");
    return { caught: evidence !== "", evidence: evidence || "nothing" };
  } finally {
    await kernel.close();
  }
}

/** Flips one bit of one weight that shows at the outputs, and rebuilds the hardware. */
async function flipWeight(input: SelfCheckInput): Promise<MutationResult> {
  const { graph, ops, bundle, packets, count, seed } = input;
  const { inputs, outputs } = bundle.manifest;
  const weights = [...graph.values.values()].filter(
    (value): value is ConstValue => value.kind === "const" && value.data.data.length > 1,
  );
  const random = new Random(seed);
  for (let attempt = 0; weights.length > 0 && attempt < 20; attempt++) {
    const target = weights[random.below(weights.length)];
    const element = random.below(target.data.data.length);
    const mutant = withFlippedBit(graph, ops, target, element);
    // A weight that no input makes matter would be no test.
    const few = Math.min(count, 32);
    const size = packetBytes(outputs);
    const tail = packets.subarray((count - few) * packetBytes(inputs));
    const changed = oraclePackets(mutant, ops, tail, few, inputs, outputs);
    const expected = input.answers.subarray((count - few) * size);
    if (comparePackets(outputs, expected, changed, few).mismatches === 0) continue;
    const fault = `lowest bit of element ${element} of ${target.id} flipped`;
    return { fault, ...(await runMutant(input, input.rebuild(mutant))) };
  }
  return {
    fault: "one bit of a weight flipped",
    caught: false,
    evidence: "no weight shows at the outputs",
  };
}

/** The graph with one bit of a constant flipped; intervals and formats are derived anew. */
function withFlippedBit(graph: Graph, ops: Registry, target: ConstValue, element: number): Graph {
  const values = new Map<Value["id"], Value>();
  const next: Graph = { ...graph, values };
  for (const value of graph.values.values()) {
    if (value.id === target.id) {
      const data = Float64Array.from(target.data.data, (code, i) =>
        i === element ? code + (code % 2 === 0 ? 1 : -1) : code,
      );
      const codes = { ...target.data, data };
      const format = formatOfCodes(data, value.quant?.format.frac ?? 0);
      values.set(value.id, { ...target, data: codes, quant: constQuant(codes, format) });
    } else if (value.kind === "op") {
      const quant = primitiveOf(ops, value.op).quant(quantArgs(next, value), value.attrs);
      values.set(value.id, { ...value, quant });
    } else {
      values.set(value.id, value);
    }
  }
  return next;
}

/** Lets the first pipeline run on while the sink holds back. */
async function breakHandshake(input: SelfCheckInput): Promise<MutationResult> {
  const { bundle } = input;
  const path = `${bundlePaths.rtl}/n2f_pipe_valid.sv`;
  const text = new TextDecoder().decode(bundle.read(path));
  const broken = text.replace(/assign\s+en\s*=[^;]*;/, "assign en = 1'b1;");
  if (broken === text) {
    fail(
      "N2F_BUNDLE_CORRUPT",
      "the pipeline's enable was not found, so no handshake could be broken",
      { at: path },
    );
  }
  const fault = "the pipeline ignores that the sink holds back";
  return { fault, ...(await runMutant(input, withFiles(bundle, new Map([[path, broken]])))) };
}
