import { fail } from "../../base/index.ts";
import { shapeText, sizeOf } from "../../tensor/index.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";
import { channelsFirst, channelsLast, readWindows, spatialOf } from "./windows.ts";

/** Weights `[M, C / group, ...kernel]` as the product wants them: `[group, prod(kernel) * C / group, M / group]`. */
export function productWeights(context: RuleContext, w: Operand, group: number): Operand {
  const [columns, channels, ...kernel] = w.shape;
  const rank = kernel.length;
  const apart = [group, columns / group, channels, ...kernel];
  const perm = [0, ...kernel.map((_, axis) => axis + 3), 2, 1];
  const split = context.apply("reshape", [w], { shape: apart });
  const turned = context.apply("transpose", [split], { perm: rank === 0 ? [0, 2, 1] : perm });
  const shape = [group, sizeOf(kernel) * channels, columns / group];
  return named(context.apply("reshape", [turned], { shape }), w);
}

/** Constants that are another one in another order keep its name. */
function named(operand: Operand, like: Operand): Operand {
  if (operand.kind !== "const" || like.kind !== "const") return operand;
  return { ...operand, name: like.name, origin: like.origin };
}

/**
 * The group, and the kernel as the weights have it.
 * @param perGroup the axis of the weights that has the channels of one group
 */
export function readKernel(node: NodeView, x: Operand, w: Operand): readonly number[] {
  const kernel = w.shape.slice(2);
  const said = node.optionalInts("kernel_shape");
  if (w.shape.length !== x.shape.length || (said !== undefined && said.join() !== kernel.join())) {
    fail(
      "N2F_OP_ATTRIBUTE",
      `weights of shape ${shapeText(w.shape)} do not fit ${shapeText(x.shape)}${said === undefined ? "" : ` and kernel_shape [${said}]`}`,
    );
  }
  return kernel;
}

/** Adds the bias of each column of `[N, ...places, M]`, and puts the channels second again. */
export function withBias(
  context: RuleContext,
  conv: string,
  args: readonly [Operand, Operand],
  bias: Operand | undefined,
  attrs: Parameters<RuleContext["apply"]>[2],
): Operand {
  if (bias === undefined) return channelsFirst(context, context.apply(conv, args, attrs));
  if (bias.kind === "const") {
    return channelsFirst(context, context.apply(conv, [...args, bias], attrs));
  }
  const product = context.apply(conv, args, attrs);
  return channelsFirst(context, context.apply("add", [product, bias]));
}

/** The convolution that the attributes of a node describe, of whatever its inputs come to. */
export function convolve(
  node: NodeView,
  context: RuleContext,
  operands: () => { readonly x: Operand; readonly w: Operand; readonly bias: Operand | undefined },
): Operand {
  const group = node.int("group", 1);
  const { x, w, bias } = operands();
  const kernel = readKernel(node, x, w);
  const windows = readWindows(node, spatialOf(node, x), kernel);
  const [columns, channels] = w.shape;
  if (!(group > 0) || columns % group !== 0 || channels * group !== x.shape[1]) {
    fail(
      "N2F_OP_ATTRIBUTE",
      `weights of shape ${shapeText(w.shape)} in ${group} groups do not fit ${shapeText(x.shape)}`,
    );
  }
  const args = [channelsLast(context, x), productWeights(context, w, group)] as const;
  const result = withBias(context, "conv", args, bias, { ...windows, group });
  if (result.kind === "computed") {
    context.countMacs(sizeOf(result.shape) * channels * sizeOf(kernel));
  }
  return result;
}

const conv = defineRule({
  op: "Conv",
  import: (node, context) =>
    convolve(node, context, () => ({
      x: node.input(0),
      w: node.input(1),
      bias: node.optional(2),
    })),
});

export const convRules: readonly Rule[] = [conv];
