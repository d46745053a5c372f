import { fail } from "../../base/index.ts";
import { makeTensor, type Shape, sizeOf } from "../../tensor/index.ts";
import { Formula } from "./formula.ts";
import type { NodeView } from "./node-view.ts";
import { positionsOfGreatest } from "./pool-positions.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";
import { channelsFirst, channelsLast, readWindows, spatialOf, type Windows } from "./windows.ts";

/**
 * Windows of a pooling. With `ceil_mode` a last window that is not full counts too, unless it begins in the
 * padding behind the value: its missing elements are further padding at the end.
 */
function readPool(node: NodeView, spatial: Shape): { windows: Windows; extra: readonly number[] } {
  const windows = readWindows(node, spatial, node.ints("kernel_shape"));
  const { kernel, strides, dilations, pads } = windows;
  const rank = spatial.length;
  if (!node.flag("ceil_mode", false)) return { windows, extra: spatial.map(() => 0) };
  const extra = spatial.map((extent, axis) => {
    const [begin, end] = [pads[axis], pads[axis + rank]];
    const reach = dilations[axis] * (kernel[axis] - 1) + 1;
    const room = extent + begin + end - reach;
    let last = Math.ceil(room / strides[axis]);
    if (last * strides[axis] >= extent + begin) last--;
    return Math.max(0, last * strides[axis] - room);
  });
  const extended = pads.map((n, i) => (i < rank ? n : n + extra[i - rank]));
  return { windows: { ...windows, pads: extended }, extra };
}

const maxPool = defineRule({
  op: "MaxPool",
  import: (node, context) => {
    const isColumnMajor = node.flag("storage_order", false);
    const x = node.input(0);
    const { windows } = readPool(node, spatialOf(node, x));
    const greatest = context.apply("max_pool", [channelsLast(context, x)], windows);
    const values = channelsFirst(context, greatest);
    return node.hasOutput(1)
      ? [values, positionsOfGreatest(context, x, windows, isColumnMajor)]
      : values;
  },
});

/** For each place of a row the elements that a window has there, from `low` (included) to `high`. */
function counts(extent: number, axis: number, windows: Windows, low: number, high: number) {
  const { kernel, strides, dilations, pads } = windows;
  const rank = kernel.length;
  const room = extent + pads[axis] + pads[axis + rank] - dilations[axis] * (kernel[axis] - 1) - 1;
  return Array.from({ length: Math.floor(room / strides[axis]) + 1 }, (_, place) => {
    const first = place * strides[axis] - pads[axis];
    return Array.from({ length: kernel[axis] }, (__, k) => first + k * dilations[axis]).filter(
      (at) => at >= low && at < high,
    ).length;
  });
}

/** One divided by how many elements each place averages: a scalar where all have as many. */
function averageFactors(
  spatial: Shape,
  windows: Windows,
  extra: readonly number[],
  countsPadding: boolean,
) {
  const rank = spatial.length;
  const along = spatial.map((extent, axis) => {
    const low = countsPadding ? -windows.pads[axis] : 0;
    const behind = countsPadding ? windows.pads[axis + rank] - extra[axis] : 0;
    return counts(extent, axis, windows, low, extent + behind);
  });
  let all = [1];
  for (const list of along) all = all.flatMap((n) => list.map((count) => n * count));
  const isUniform = all.every((n) => n === all[0]);
  return isUniform
    ? makeTensor([], [1 / all[0]])
    : makeTensor(
        [...along.map((list) => list.length), 1],
        all.map((n) => 1 / n),
      );
}

/** The mean of windows of a value. @param read the value, once the attributes are read */
export function averagePoolOf(node: NodeView, context: RuleContext, read: () => Operand): Operand {
  const countsPadding = node.flag("count_include_pad", false);
  const x = read();
  const spatial = spatialOf(node, x);
  const { windows, extra } = readPool(node, spatial);
  const sums = context.apply("sum_pool", [channelsLast(context, x)], windows);
  const factors = context.constant(
    averageFactors(spatial, windows, extra, countsPadding),
    "factor",
  );
  return channelsFirst(context, context.apply("mul", [sums, factors]));
}

const averagePool = defineRule({
  op: "AveragePool",
  import: (node, context) => averagePoolOf(node, context, () => node.input(0)),
});

/** One window over all. */
function wholeWindow(spatial: Shape): Windows {
  const ones = spatial.map(() => 1);
  return {
    kernel: spatial,
    strides: ones,
    dilations: ones,
    pads: [...spatial, ...spatial].map(() => 0),
  };
}

const globalMaxPool = defineRule({
  op: "GlobalMaxPool",
  import: (node, context) => {
    const x = node.input(0);
    const windows = wholeWindow(spatialOf(node, x));
    return channelsFirst(context, context.apply("max_pool", [channelsLast(context, x)], windows));
  },
});

export function globalAveragePoolOf(node: NodeView, context: RuleContext, x: Operand): Operand {
  const spatial = spatialOf(node, x);
  const sums = context.apply("sum_pool", [channelsLast(context, x)], wholeWindow(spatial));
  const factor = context.constant(makeTensor([], [1 / sizeOf(spatial)]), "factor");
  return channelsFirst(context, context.apply("mul", [sums, factor]));
}

const globalAveragePool = defineRule({
  op: "GlobalAveragePool",
  import: (node, context) => globalAveragePoolOf(node, context, node.input(0)),
});

/** (sum of |x|^p)^(1/p) over windows: exact for p = 1, exact up to the root for p = 2, else by tables. */
function norm(context: RuleContext, x: Operand, p: number, windows: Windows): Operand {
  const f = new Formula(context);
  const isSquare = p === 2;
  const size = isSquare ? x : f.abs(x);
  const powers = isSquare
    ? f.apply("square", x)
    : p === 1
      ? size
      : f.apply("power", size, { exponent: p });
  const sums = channelsFirst(context, f.apply("sum_pool", channelsLast(context, powers), windows));
  if (p === 1) return sums;
  return isSquare ? f.apply("sqrt", sums) : f.apply("power", sums, { exponent: 1 / p });
}

/** The exponent; before opset 2 it was a real number, which files with later opsets do not have. */
function readNorm(node: NodeView): number {
  const p = node.int("p", 2);
  if (p >= 1) return p;
  return fail("N2F_OP_ATTRIBUTE", `p is ${p}; it is 1 at least`);
}

const lpPool = defineRule({
  op: "LpPool",
  import: (node, context) => {
    const p = readNorm(node);
    const x = node.input(0);
    return norm(context, x, p, readPool(node, spatialOf(node, x)).windows);
  },
});

const globalLpPool = defineRule({
  op: "GlobalLpPool",
  import: (node, context) => {
    const p = readNorm(node);
    const x = node.input(0);
    return norm(context, x, p, wholeWindow(spatialOf(node, x)));
  },
});

export const poolRules: readonly Rule[] = [
  maxPool,
  averagePool,
  globalMaxPool,
  globalAveragePool,
  lpPool,
  globalLpPool,
];
