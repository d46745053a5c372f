import { fail } from "../../base/index.ts";
import { shapeText, sizeOf } from "../../tensor/index.ts";
import { axisOf, Formula } from "./formula.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Operand, type Rule, unsupported } from "./rule.ts";
import { channelsFirst, channelsLast } from "./windows.ts";

/*
 * Normalizations whose statistics come from the input itself: exact sums and squares, and one table of
 * 1 / sqrt over what calibration saw of the variance.
 */

/** What is left of x once the mean is gone, the mean, and 1 / sqrt(variance + epsilon). */
function standardize(f: Formula, x: Operand, axes: readonly number[], epsilon: number) {
  const mean = f.mean(x, axes);
  const distance = f.sub(x, mean);
  const variance = f.mean(f.apply("square", distance), axes);
  const inverse = f.apply("rsqrt", f.add(variance, epsilon));
  return { distance, mean, inverse };
}

const epsilonOf = (node: NodeView): number => node.float("epsilon", Math.fround(1e-5));

const from = (x: Operand, axis: number): number[] =>
  Array.from({ length: x.shape.length - axis }, (_, i) => axis + i);

/** One number for each channel, which is axis 1, in the rank of x. */
const perChannel = (f: Formula, x: Operand, numbers: Operand): Operand =>
  f.reshape(numbers, [sizeOf(numbers.shape), ...x.shape.slice(2).map(() => 1)]);

const layerNormalization = defineRule({
  op: "LayerNormalization",
  import: (node, context) => {
    const [listed, epsilon] = [node.int("axis", -1), epsilonOf(node)];
    const [x, scale, shift] = [node.input(0), node.input(1), node.optional(2)];
    const f = new Formula(context);
    const axes = from(x, axisOf(x, listed));
    const { distance, mean, inverse } = standardize(f, x, axes, epsilon);
    const y = f.mul(f.mul(distance, inverse), scale);
    return [shift === undefined ? y : f.add(y, shift), mean, inverse];
  },
});

const rmsNormalization = defineRule({
  op: "RMSNormalization",
  import: (node, context) => {
    const [listed, epsilon] = [node.int("axis", -1), epsilonOf(node)];
    const [x, scale] = [node.input(0), node.input(1)];
    const f = new Formula(context);
    const power = f.mean(f.apply("square", x), from(x, axisOf(x, listed)));
    return f.mul(f.mul(x, f.apply("rsqrt", f.add(power, epsilon))), scale);
  },
});

const instanceNormalization = defineRule({
  op: "InstanceNormalization",
  import: (node, context) => {
    const epsilon = epsilonOf(node);
    const [x, scale, shift] = [node.input(0), node.input(1), node.input(2)];
    const f = new Formula(context);
    if (x.shape.length < 3)
      fail("N2F_OP_ATTRIBUTE", `${shapeText(x.shape)} has no axes behind its channels`);
    const { distance, inverse } = standardize(f, x, from(x, 2), epsilon);
    return f.add(f.mul(f.mul(distance, inverse), perChannel(f, x, scale)), perChannel(f, x, shift));
  },
});

/** Channels in groups; before opset 21 scale and shift have one number for each group. */
const groupNormalization = defineRule({
  op: "GroupNormalization",
  import: (node, context) => {
    const [groups, epsilon] = [node.int("num_groups"), epsilonOf(node)];
    const [x, scale, shift] = [node.input(0), node.input(1), node.input(2)];
    const [n, channels, ...spatial] = x.shape;
    if (!(groups >= 1) || x.shape.length < 2 || channels % groups !== 0)
      fail("N2F_OP_ATTRIBUTE", `${shapeText(x.shape)} does not fall into ${groups} groups`);
    const f = new Formula(context);
    const grouped = f.reshape(x, [n, groups, channels / groups, ...spatial]);
    const { distance, inverse } = standardize(f, grouped, from(grouped, 2), epsilon);
    const y = f.mul(distance, inverse);
    if (context.opset < 21 && sizeOf(scale.shape) === groups) {
      const scaled = f.add(f.mul(y, perChannel(f, grouped, scale)), perChannel(f, grouped, shift));
      return f.reshape(scaled, x.shape);
    }
    const flat = f.reshape(y, x.shape);
    return f.add(f.mul(flat, perChannel(f, x, scale)), perChannel(f, x, shift));
  },
});

/** What the standard adds to the deviation, so that it is never zero. */
const smallDeviation = 1e-9;

const meanVarianceNormalization = defineRule({
  op: "MeanVarianceNormalization",
  import: (node, context) => {
    const axes = node.optionalInts("axes") ?? [0, 2, 3];
    const x = node.input(0);
    const f = new Formula(context);
    const along = axes.map((axis) => axisOf(x, axis));
    const { distance, inverse } = standardize(f, x, along, smallDeviation ** 2);
    return f.mul(distance, inverse);
  },
});

const lpNormalization = defineRule({
  op: "LpNormalization",
  import: (node, context) => {
    const [listed, p] = [node.int("axis", -1), node.int("p", 2)];
    if (p !== 1 && p !== 2) unsupported(`a norm of order ${p}`, "Use the order 1 or 2.");
    const x = node.input(0);
    const axes = [axisOf(x, listed)];
    const f = new Formula(context);
    const norm = f.sum(p === 1 ? f.abs(x) : f.apply("square", x), axes);
    const y = p === 1 ? f.div(x, norm) : f.mul(x, f.apply("rsqrt", norm));
    // Of nothing but zeros the norm is zero, and so is the result.
    return f.mask(y, f.greater(norm, 0));
  },
});

/**
 * x / (bias + alpha / size * the sum of x^2 over `size` neighbouring channels) ^ beta. The sums are a product
 * with ones beside the diagonal, whose adders neighbours share.
 */
const lrn = defineRule({
  op: "LRN",
  import: (node, context) => {
    const [size, bias] = [node.int("size"), node.float("bias", 1)];
    const [alpha, beta] = [node.float("alpha", 1e-4), node.float("beta", 0.75)];
    const x = node.input(0);
    if (x.shape.length < 3 || !(size > 0))
      fail("N2F_OP_ATTRIBUTE", `${shapeText(x.shape)} has no ${size} neighbouring channels`);
    const f = new Formula(context);
    const channels = x.shape[1];
    const before = Math.floor((size - 1) / 2);
    const isNear = (from: number, to: number) => from >= to - before && from < to - before + size;
    const band = Float64Array.from({ length: channels * channels }, (_, i) =>
      isNear(Math.floor(i / channels), i % channels) ? 1 : 0,
    );
    const squares = channelsLast(context, f.apply("square", x));
    const sums = f.matmul(squares, f.constant(band, [channels, channels]));
    const level = f.add(f.mul(channelsFirst(context, sums), alpha / size), bias);
    return f.mul(x, f.apply("power", level, { exponent: -beta }));
  },
});

export const normalizationRules: readonly Rule[] = [
  lrn,
  groupNormalization,
  instanceNormalization,
  layerNormalization,
  lpNormalization,
  meanVarianceNormalization,
  rmsNormalization,
];
