import { fail } from "../../base/index.ts";
import { shapeText, sizeOf } from "../../tensor/index.ts";
import { readKernel, withBias } from "./conv.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";
import {
  channelsLast,
  listOf,
  readWindowAttributes,
  resolvePads,
  spatialOf,
  type WindowAttributes,
} from "./windows.ts";

/**
 * Weights `[C, M / group, ...kernel]` as the product wants them, `[group, prod(kernel) * C / group, M / group]`,
 * with each kernel turned round.
 */
function turnedWeights(context: RuleContext, w: Operand, group: number): Operand {
  const [channels, columns, ...kernel] = w.shape;
  const flipped = context.apply("slice", [w], {
    starts: [0, 0, ...kernel.map((n) => n - 1)],
    steps: [1, 1, ...kernel.map(() => -1)],
    counts: w.shape,
  });
  const apart = [group, channels / group, columns, ...kernel];
  const split = context.apply("reshape", [flipped], { shape: apart });
  const perm = [0, ...kernel.map((_, axis) => axis + 3), 1, 2];
  const shape = [group, (sizeOf(kernel) * channels) / group, columns];
  const turned = context.apply("transpose", [split], { perm });
  return context.apply("reshape", [turned], { shape });
}

/** x `[N, ...spatial, C]` with strides - 1 zeros behind each element of each spatial axis. */
function spread(context: RuleContext, x: Operand, strides: readonly number[]): Operand {
  if (strides.every((stride) => stride === 1)) return x;
  const [batch, ...rest] = x.shape;
  const channels = rest.pop() as number;
  const apart = [batch, ...rest.flatMap((extent) => [extent, 1]), channels];
  const behind = [0, ...strides.flatMap((stride) => [0, stride - 1]), 0];
  const split = context.apply("reshape", [x], { shape: apart });
  const pads = [...behind.map(() => 0), ...behind];
  const padded = context.apply("pad", [split], { pads, value: 0 });
  const shape = [batch, ...rest.map((extent, axis) => extent * strides[axis]), channels];
  return context.apply("reshape", [padded], { shape });
}

/** Elements taken from each side of the result of a transposed convolution; negative: put there. */
function outputPads(
  node: NodeView,
  spatial: readonly number[],
  kernel: readonly number[],
  { strides, dilations, pads, autoPad }: WindowAttributes,
  outputPadding: readonly number[],
): readonly number[] {
  const wanted =
    node.optionalInts("output_shape")?.slice(-spatial.length) ??
    (autoPad.startsWith("SAME") ? spatial.map((n, axis) => n * strides[axis]) : undefined);
  if (wanted === undefined) return autoPad === "VALID" ? pads.map(() => 0) : pads;
  const total = spatial.map((extent, axis) => {
    const reach = (kernel[axis] - 1) * dilations[axis] + 1;
    return strides[axis] * (extent - 1) + outputPadding[axis] + reach - wanted[axis];
  });
  return resolvePads(autoPad === "SAME_UPPER" ? autoPad : "SAME_LOWER", pads, total);
}

/**
 * A transposed convolution is a convolution of x, with zeros between its elements, by the weights turned
 * round; what the pads take away at the edges is padding that is left out.
 */
const convTranspose = defineRule({
  op: "ConvTranspose",
  import: (node, context) => {
    const group = node.int("group", 1);
    const [x, w] = [node.input(0), node.input(1)];
    const bias = node.optional(2);
    const kernel = readKernel(node, x, w);
    const spatial = spatialOf(node, x);
    const attributes = readWindowAttributes(node, spatial.length);
    const { strides, dilations } = attributes;
    const outputPadding = listOf(
      node,
      "output_padding",
      spatial.map(() => 0),
      0,
    );
    if (!(group > 0) || w.shape[0] % group !== 0 || w.shape[0] !== x.shape[1]) {
      fail(
        "N2F_OP_ATTRIBUTE",
        `weights of shape ${shapeText(w.shape)} in ${group} groups do not fit ${shapeText(x.shape)}`,
      );
    }
    const taken = outputPads(node, spatial, kernel, attributes, outputPadding);
    const rank = spatial.length;
    const wanted = kernel.flatMap((n, axis) => {
      const around = dilations[axis] * (n - 1);
      const begin = around - taken[axis];
      // Zeros stand behind the last element already.
      const end = around - taken[axis + rank] + outputPadding[axis] - (strides[axis] - 1);
      return [[begin, end]];
    });
    const stuffed = cropped(context, spread(context, channelsLast(context, x), strides), wanted);
    const pads = [0, 1].flatMap((side) => wanted.map((ends) => Math.max(0, ends[side])));
    const ones = kernel.map(() => 1);
    const attrs = { kernel, strides: ones, dilations, pads, group };
    const args = [stuffed, turnedWeights(context, w, group)] as const;
    const result = withBias(context, "conv", args, bias, attrs);
    if (result.kind === "computed") {
      context.countMacs((sizeOf(result.shape) * sizeOf(kernel) * x.shape[1]) / group);
    }
    return result;
  },
});

/** Takes away what negative pads `[begin, end]` of each spatial axis say. */
function cropped(
  context: RuleContext,
  x: Operand,
  wanted: readonly (readonly number[])[],
): Operand {
  if (wanted.flat().every((n) => n >= 0)) return x;
  const starts = [0, ...wanted.map(([begin]) => Math.max(0, -begin)), 0];
  const ends = [0, ...wanted.map(([, end]) => Math.max(0, -end)), 0];
  const counts = x.shape.map((extent, axis) => extent - starts[axis] - ends[axis]);
  return context.apply("slice", [x], { starts, steps: starts.map(() => 1), counts });
}

export const convTransposeRules: readonly Rule[] = [convTranspose];
