import {
  type Builder,
  composePerms,
  inversePerm,
  isChannelsFirst,
  isIdentityPerm,
  movesNothing,
  type Op,
  type OpValue,
  type Permutation,
  permOf,
  type Registry,
  rewriteGraph,
  samePerm,
  type Value,
  type ValueId,
} from "../ir/index.ts";
import { makeTensor, type Shape, sameShape, sizeOf, stridesOf } from "../tensor/index.ts";
import { definePass } from "./pass.ts";

/**
 * Moves transposes behind the operators that read them, until they meet others that undo them, the rows of
 * weights, or an output.
 *
 *     "t" = transpose("x", p)              "r" = relu("x")
 *     "r" = relu("t")                      "y" = "r"
 *     "y" = transpose("r", inverse of p)
 *
 *     "t" = transpose("x", p)              "f" = reshape("x")
 *     "f" = reshape("t")                   "y" = matmul("f", "W with its rows permuted")
 *     "y" = matmul("f", "W")
 */
export const sinkTransposes = definePass({
  name: "sink-transposes",
  description: "Moves transposes down, until they cancel or vanish into weights.",
  run: (graph, ops) =>
    rewriteGraph(graph, ops, (value, { build, args }) => {
      const sources = args.map((id) => build.value(id));
      switch (value.op) {
        case "transpose":
          return joinTransposes(build, value, sources[0]);
        case "reshape":
          return swapReshape(build, value, sources[0]);
        case "matmul":
          return permuteRows(build, value, sources);
        default:
          return swapOperator(build, value, sources, ops);
      }
    }),
});

function joinTransposes(build: Builder, value: OpValue, x: Value): ValueId | undefined {
  const own = permOf(value) as Permutation;
  const before = permOf(x);
  if (before === undefined) return isIdentityPerm(own) ? x.id : undefined;
  return transposed(build, (x as OpValue).args[0], composePerms(before, own));
}

function transposed(build: Builder, x: ValueId, perm: Permutation): ValueId {
  return isIdentityPerm(perm) ? x : build.op("transpose", [x], { perm });
}

/** op(transpose(x)) as transpose(op(x)); arguments that are not transposed are so, the other way round. */
function swapOperator(
  build: Builder,
  value: OpValue,
  args: readonly Value[],
  ops: Registry,
): ValueId | undefined {
  const swap = ops.get(value.op)?.swapTranspose;
  if (swap === undefined) return undefined;
  const perm = args.map(permOf).find((found) => found !== undefined);
  if (perm === undefined) return swapBehindReshape(build, value, args, swap);
  const inverse = inversePerm(perm);
  const moved: ValueId[] = [];
  for (const arg of args) {
    const own = permOf(arg);
    const rank = arg.shape.length;
    if (own !== undefined && samePerm(own, perm)) moved.push((arg as OpValue).args[0]);
    else if (sizeOf(arg.shape) === 1 && rank <= perm.length) moved.push(arg.id);
    else if (arg.kind === "const" && rank <= perm.length) {
      const shape = [...new Array<number>(perm.length - rank).fill(1), ...arg.shape];
      const full = rank === perm.length ? arg.id : build.op("reshape", [arg.id], { shape });
      moved.push(build.op("transpose", [full], { perm: inverse }));
    } else if (rank === perm.length && isChannelsFirst(perm)) {
      moved.push(build.op("transpose", [arg.id], { perm: inverse }));
    } else return undefined;
  }
  const { attrs, perm: after } = swap(perm, value.attrs);
  return transposed(build, build.op(value.op, moved, attrs), after);
}

/**
 * op(reshape(transpose(x))) as reshape(transpose(op(x))), for an operator of single elements whose other
 * arguments are single numbers.
 */
function swapBehindReshape(
  build: Builder,
  value: OpValue,
  args: readonly Value[],
  swap: NonNullable<Op["swapTranspose"]>,
): ValueId | undefined {
  const varying = args.filter((arg) => sizeOf(arg.shape) > 1);
  const [reshape] = varying;
  if (varying.length !== 1 || reshape.kind !== "op" || reshape.op !== "reshape") return undefined;
  const turned = build.value(reshape.args[0]);
  const perm = permOf(turned);
  if (perm === undefined || !sameShape(reshape.shape, value.shape)) return undefined;
  // Attributes that speak of axes would change.
  if (swap(reshape.shape.map((_, i) => i).reverse(), value.attrs).attrs !== value.attrs) {
    return undefined;
  }
  if (args.some((arg) => arg !== reshape && arg.shape.length > perm.length)) return undefined;
  const [x] = (turned as OpValue).args;
  const result = build.op(
    value.op,
    args.map((arg) => (arg === reshape ? x : arg.id)),
    value.attrs,
  );
  return build.op("reshape", [transposed(build, result, perm)], { shape: value.shape });
}

/**
 * A reshape behind a transpose that splits and joins axes, each of them by itself, comes before it. What
 * moves axes of one element alone is a reshape.
 */
function swapReshape(build: Builder, value: OpValue, x: Value): ValueId | undefined {
  if (x.kind === "op" && x.op === "reshape") {
    return build.op("reshape", x.args, { shape: value.shape });
  }
  const perm = permOf(x);
  if (perm === undefined) return undefined;
  const source = build.value((x as OpValue).args[0]);
  if (movesNothing(source.shape, perm)) {
    return build.op("reshape", [source.id], { shape: value.shape });
  }
  const groups = matchAxes(x.shape, value.shape);
  // Axes that are joined must be neighbours before the transpose too.
  const isPossible = groups.every(({ from }) => {
    const axes = from.filter((axis) => x.shape[axis] !== 1).map((axis) => perm[axis]);
    return axes.every((axis, i) => i === 0 || areNeighbours(source.shape, axes[i - 1], axis));
  });
  if (!isPossible) return undefined;
  const first = ({ from }: AxisGroup) =>
    Math.min(...from.filter((axis) => x.shape[axis] !== 1).map((axis) => perm[axis]), Infinity);
  // Leading axes of one element stay in front.
  const order = groups.toSorted((a, b) => {
    const [fa, fb] = [first(a), first(b)].map((n) => (n === Infinity ? -1 : n));
    return fa - fb;
  });
  const axes = order.flatMap(({ to }) => to);
  const shaped = build.op("reshape", [source.id], { shape: axes.map((axis) => value.shape[axis]) });
  return transposed(build, shaped, inversePerm(axes));
}

/** Whether only axes of one element stand between two axes, the second behind the first. */
function areNeighbours(shape: Shape, a: number, b: number): boolean {
  return a < b && shape.slice(a + 1, b).every((extent) => extent === 1);
}

/** Axes of one shape that have the same elements as those of another. */
interface AxisGroup {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** The least groups of neighbouring axes with as many elements; axes of one element in front are one group. */
function matchAxes(a: Shape, b: Shape): AxisGroup[] {
  const leading = (shape: Shape) => {
    const first = shape.findIndex((extent) => extent !== 1);
    return first < 0 ? shape.length : first;
  };
  let [i, j] = [leading(a), leading(b)];
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);
  const groups: AxisGroup[] = j > 0 ? [{ from: range(0, i), to: range(0, j) }] : [];
  while (i < a.length || j < b.length) {
    const [fromA, fromB] = [i, j];
    let [left, right] = [a[i++] ?? 1, b[j++] ?? 1];
    while (left !== right) {
      if (left < right) left *= a[i++];
      else right *= b[j++];
    }
    while (i < a.length && a[i] === 1) i++;
    while (j < b.length && b[j] === 1) j++;
    groups.push({
      from: range(fromA, Math.min(i, a.length)),
      to: range(fromB, Math.min(j, b.length)),
    });
  }
  return groups;
}

/** matmul(reshape(transpose(x)), W): the rows of W in the order in which the elements of x stand. */
function permuteRows(build: Builder, value: OpValue, args: readonly Value[]): ValueId | undefined {
  const [reshaped, weights, ...bias] = args;
  if (reshaped.kind !== "op" || reshaped.op !== "reshape") return undefined;
  const turned = build.value(reshaped.args[0]);
  const perm = permOf(turned);
  if (perm === undefined || weights.kind !== "const" || weights.shape.length !== 2)
    return undefined;
  const source = build.value((turned as OpValue).args[0]);
  const [rows, columns] = weights.shape;
  const order = rowOrder(source.shape, perm, rows);
  if (order === undefined) return undefined;
  const data = new Float64Array(rows * columns);
  order.forEach((from, to) => {
    data.set(weights.data.data.subarray(from * columns, (from + 1) * columns), to * columns);
  });
  const { shape } = reshaped;
  const x = build.op("reshape", [source.id], { shape });
  const rowsMoved = makeTensor(weights.shape, data, weights.dtype);
  const permuted = weights.exact
    ? build.exactConstant(rowsMoved, weights.id)
    : build.constant(rowsMoved, weights.id);
  return build.op("matmul", [x, permuted, ...bias.map(({ id }) => id)], value.attrs);
}

/**
 * For each of the last `count` elements of x, its place among those of transpose(x, perm); undefined where
 * the transpose moves elements between such blocks.
 */
function rowOrder(x: Shape, perm: Permutation, count: number): Int32Array | undefined {
  let [axis, block] = [x.length, 1];
  while (axis > 0 && block < count) block *= x[--axis];
  const isKept = perm.every((from, to) =>
    to < axis ? from === to || x[from] === 1 : from >= axis || x[from] === 1,
  );
  if (block !== count || !isKept) return undefined;
  const strides = stridesOf(perm.map((from) => x[from]));
  const stride = inversePerm(perm).map((to) => strides[to]);
  let places = Int32Array.of(0);
  for (let a = axis; a < x.length; a++) {
    const next = new Int32Array(places.length * x[a]);
    for (let i = 0; i < next.length; i++) {
      next[i] = places[Math.floor(i / x[a])] + (i % x[a]) * stride[a];
    }
    places = next;
  }
  return places;
}
