import type { Attrs } from "../../ir/index.ts";
import { makeTensor, type Tensor } from "../../tensor/index.ts";
import { defineRule, type Rule } from "./rule.ts";

/** The greatest float32, which stands for "no bound" in old models. */
const maxFloat32 = (2 - 2 ** -23) * 2 ** 127;

function unary(op: string, ours: string, attrs: Attrs = {}): Rule {
  return defineRule({
    op,
    import: (node, context) => context.apply(ours, [node.input(0)], attrs),
  });
}

const leakyRelu = defineRule({
  op: "LeakyRelu",
  import: (node, context) => {
    const alpha = node.float("alpha", Math.fround(0.01));
    const slope = context.constant(makeTensor([], [alpha]), "slope");
    return context.apply("prelu", [node.input(0), slope]);
  },
});

const prelu = defineRule({
  op: "PRelu",
  import: (node, context) => {
    const x = node.input(0);
    const data = node.constant(1, "the slope");
    const slope = node.input(1);
    const isPerChannel =
      context.opset < 7 && data.shape.length === 1 && data.data.length > 1 && x.shape.length > 2;
    if (!isPerChannel) return context.apply("prelu", [x, slope]);
    // Before opset 7 a list of slopes belongs to axis 1.
    const shape = [data.data.length, ...x.shape.slice(2).map(() => 1)];
    return context.apply("prelu", [x, context.apply("reshape", [slope], { shape })]);
  },
});

const bound = (value: number): number =>
  Math.abs(value) >= maxFloat32 ? Math.sign(value) * Infinity : value;

/** Bounds are attributes before opset 11 and constant inputs from then on. */
const clip = defineRule({
  op: "Clip",
  import: (node, context) => {
    const isOld = context.opset < 11;
    const scalar = (tensor: Tensor | undefined) => tensor?.data[0];
    const min = isOld
      ? node.float("min", -Infinity)
      : scalar(node.optionalConstant(1, "the lower bound"));
    const max = isOld
      ? node.float("max", Infinity)
      : scalar(node.optionalConstant(2, "the upper bound"));
    return context.apply("clip", [node.input(0)], {
      min: bound(min ?? -Infinity),
      max: bound(max ?? Infinity),
    });
  },
});

/** Before opset 13 all axes from `axis` on are taken together. */
const softmax = defineRule({
  op: "Softmax",
  import: (node, context) => {
    const axis = node.int("axis", context.opset < 13 ? 1 : -1);
    const x = node.input(0);
    const rank = x.shape.length;
    const along = axis < 0 ? axis + rank : axis;
    if (context.opset >= 13 || along === rank - 1) return context.apply("softmax", [x], { axis });
    const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
    const matrix = [product(x.shape.slice(0, along)), product(x.shape.slice(along))];
    const flat = context.apply("reshape", [x], { shape: matrix });
    const y = context.apply("softmax", [flat], { axis: 1 });
    return context.apply("reshape", [y], { shape: x.shape });
  },
});

export const activationRules: readonly Rule[] = [
  unary("Relu", "relu"),
  unary("Sigmoid", "sigmoid"),
  unary("Tanh", "tanh"),
  unary("Reciprocal", "reciprocal", { min: -Infinity, max: Infinity }),
  leakyRelu,
  prelu,
  clip,
  softmax,
];
