import type { EngineSegment } from "../design/index.ts";
import { bitsFor } from "../fixed/index.ts";
import {
  type Graph,
  getValue,
  type OpValue,
  primitiveOf,
  quantArgs,
  quantOf,
  type Registry,
} from "../ir/index.ts";
import { chooseFolding } from "./fold.ts";

/** A matrix product with constant weights, ready to be folded. */
export interface EnginePlan
  extends Omit<EngineSegment, "name" | "passBits" | "inputBits" | "outputBits"> {
  readonly rows: number;
  readonly k: number;
  readonly n: number;
  /** Zeros at the end of all codes of a column, which the engine leaves out. */
  readonly twos: readonly number[];
}

/**
 * Folds a value onto an engine that takes at most `reuse` cycles, where it is a product with one constant
 * matrix and can be.
 */
export function planEngine(
  graph: Graph,
  value: OpValue,
  ops: Registry,
  reuse: number,
): EnginePlan | undefined {
  if (reuse <= 1 || value.op !== "matmul") return undefined;
  const [x, w, b] = value.args.map((id) => getValue(graph, id));
  const args = quantArgs(graph, value);
  const kernel = primitiveOf(ops, value.op).kernel(args, value.attrs, quantOf(value));
  if (kernel.kind !== "matmul" || x.kind === "const" || w.kind !== "const") return undefined;
  if (kernel.b.offset.some((offset) => offset !== kernel.b.offset[0])) return undefined;
  const { k, n } = kernel;
  const rows = kernel.groups * kernel.m;
  const folding = chooseFolding(rows, k, n, reuse);
  if (folding === undefined) return undefined;

  const codes = w.data.data;
  const full = Array.from({ length: n }, (_, column) =>
    Array.from({ length: k }, (__, i) => BigInt(codes[i * n + column])),
  );
  const fullBias = Array.from({ length: n }, (_, column) =>
    b?.kind === "const" ? BigInt(b.data.data[column]) << BigInt(kernel.biasShift ?? 0) : 0n,
  );
  const twos = full.map((column, at) => trailingZeros([...column, fullBias[at]]));
  const weights = full.map((column, at) => column.map((code) => code >> BigInt(twos[at])));
  const bias = fullBias.map((code, at) => code >> BigInt(twos[at]));
  const { format: from } = quantOf(x);
  const { ranges } = quantOf(value);
  const sums = Array.from({ length: rows * n }, (_, i) => {
    const spare = BigInt(twos[i % n]);
    return bitsFor(ranges.lo(i) >> spare, ranges.hi(i) >> spare).width;
  });
  const params = {
    ROWS: rows,
    K_STEPS: folding.kSteps,
    SIMD: folding.simd,
    N_STEPS: folding.nSteps,
    PE: folding.pe,
    X_W: from.width,
    X_SIGNED: from.signed,
    W_W: weights.flat().reduce((top, code) => Math.max(top, signedBits(code)), 1),
    ACC_W: sums.reduce((a, b) => Math.max(a, b), 1),
    PASS_W: 1,
    WEIGHTS: "",
    BIAS: "",
  };
  return { kind: "engine", origin: value.origin, params, weights, bias, rows, k, n, twos };
}

/** Bits of a signed word that holds an integer. */
function signedBits(code: bigint): number {
  const { signed, width } = bitsFor(code, code);
  return width + (signed ? 0 : 1);
}

/** How often all of some integers can be halved; none where all are zero. */
function trailingZeros(codes: readonly bigint[]): number {
  const joined = codes.reduce((all, code) => all | code, 0n);
  if (joined === 0n) return 0;
  let zeros = 0;
  while (((joined >> BigInt(zeros)) & 1n) === 0n) zeros++;
  return zeros;
}
