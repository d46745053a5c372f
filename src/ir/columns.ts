import { sizeOf } from "../tensor/index.ts";
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

/** A matrix product with constant weights of two axes. */
export function isDense(value: Value, find: (id: OpValue["args"][0]) => Value): value is OpValue {
  if (value.kind !== "op" || value.op !== "matmul") return false;
  const weights = find(value.args[1]);
  return weights.kind === "const" && weights.shape.length === 2;
}
