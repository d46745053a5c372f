import type { Shape } from "../tensor/index.ts";
import type { Value } from "./graph.ts";

/** Orders of axes: axis i of transpose(x, perm) is axis perm[i] of x. */
export type Permutation = readonly number[];

/** The order by which a value is another one transposed. */
export function permOf(value: Value): Permutation | undefined {
  if (value.kind !== "op" || value.op !== "transpose") return undefined;
  return value.attrs["perm"] as Permutation;
}

/** transpose(transpose(x, first), second) = transpose(x, both). */
export function composePerms(first: Permutation, second: Permutation): Permutation {
  return second.map((axis) => first[axis]);
}

export function inversePerm(perm: Permutation): Permutation {
  return perm.map((_, axis) => perm.indexOf(axis));
}

export function samePerm(a: Permutation, b: Permutation): boolean {
  return a.length === b.length && a.every((axis, i) => axis === b[i]);
}

export function isIdentityPerm(perm: Permutation): boolean {
  return perm.every((axis, i) => axis === i);
}

/** Whether a transpose of a shape leaves all elements where they are: it moves axes of one element alone. */
export function movesNothing(x: Shape, perm: Permutation): boolean {
  const moved = perm.filter((axis) => x[axis] !== 1);
  return moved.every((axis, i) => i === 0 || moved[i - 1] < axis);
}

/** The order that puts the channels of `[N, ...spatial, C]` second. */
export function isChannelsFirst(perm: Permutation): boolean {
  const last = perm.length - 1;
  return perm.length > 2 && perm.every((axis, i) => axis === (i < 2 ? i * last : i - 1));
}
