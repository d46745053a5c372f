import { type Shape, sizeOf } from "../tensor/index.ts";
import type { ConstValue, OpValue, Value } from "./graph.ts";

/**
 * A constant as one number for each column of a tensor with `columns` columns: where it has one element,
 * or varies along the last axis alone.
 */
export function perColumn(constant: ConstValue, columns: number): Float64Array | undefined {
  const size = sizeOf(constant.shape);
  if (size === 1) return new Float64Array(columns).fill(constant.data.data[0]);
  return size === columns && constant.shape.at(-1) === columns ? constant.data.data : undefined;
}

/** A binary operator's constant side and the other one, whichever way round they stand. */
export function constantSide(
  args: readonly Value[],
): { constant: ConstValue; other: Value; isRight: boolean } | undefined {
  const [a, b] = args;
  if (b.kind === "const" && a.kind !== "const") return { constant: b, other: a, isRight: true };
  if (a.kind === "const" && b.kind !== "const") return { constant: a, other: b, isRight: false };
  return undefined;
}

/**
 * Weights of a product: matrices `[rows, columns]`, one for each group. The last axis of the result has the
 * columns of all groups, one group after the other.
 */
export interface WeightMatrices {
  readonly groups: number;
  readonly rows: number;
  readonly columns: number;
}

/** Operators that multiply by weights (argument 1) and add a bias for each column (argument 2). */
export function isProduct(op: string): boolean {
  return op === "matmul" || op === "conv";
}

/** How a product reads weights of a shape; nothing where it has no columns to speak of. */
export function weightMatrices(op: string, shape: Shape): WeightMatrices | undefined {
  if (op === "matmul" && shape.length === 2) {
    return { groups: 1, rows: shape[0], columns: shape[1] };
  }
  if (op !== "conv" || shape.length !== 3) return undefined;
  return { groups: shape[0], rows: shape[1], columns: shape[2] };
}

/** Calls back for each row of each weight matrix: where it begins, and the result's column that it begins with. */
export function forEachWeightRow(
  { groups, rows, columns }: WeightMatrices,
  row: (first: number, column: number, row: number) => void,
): void {
  for (let g = 0, at = 0; g < groups; g++) {
    for (let r = 0; r < rows; r++, at += columns) row(at, g * columns, r);
  }
}

/** A product with constant weights that have columns. */
export function isDense(value: Value, find: (id: OpValue["args"][0]) => Value): value is OpValue {
  if (value.kind !== "op" || !isProduct(value.op)) return false;
  const weights = find(value.args[1]);
  return weights.kind === "const" && weightMatrices(value.op, weights.shape) !== undefined;
}
