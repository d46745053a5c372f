import type { EngineSegment } from "../design/index.ts";
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
  const weights = Array.from({ length: n }, (_, column) =>
    Array.from({ length: k }, (__, i) => BigInt(codes[i * n + column])),
  );
  const bias = Array.from({ length: n }, (_, column) =>
    b?.kind === "const" ? BigInt(b.data.data[column]) << BigInt(kernel.biasShift ?? 0) : 0n,
  );
  const { format: from } = quantOf(x);
  const { format: weight } = quantOf(w);
  const params = {
    ROWS: rows,
    K_STEPS: folding.kSteps,
    SIMD: folding.simd,
    N_STEPS: folding.nSteps,
    PE: folding.pe,
    X_W: from.width,
    X_SIGNED: from.signed,
    W_W: weight.width + (weight.signed ? 0 : 1),
    ACC_W: quantOf(value).format.width,
    PASS_W: 1,
    WEIGHTS: "",
    BIAS: "",
  };
  return { kind: "engine", origin: value.origin, params, weights, bias, rows, k, n };
}
