import type { Attrs } from "../../ir/index.ts";
import { makeTensor, type Tensor } from "../../tensor/index.ts";
import { onAxis } from "./extremes.ts";
import { Formula } from "./formula.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";

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
    const slope = node.input(1);
    if (slope.kind === "computed") {
      const f = new Formula(context);
      return f.add(f.apply("relu", x), f.mul(f.min(x, 0), slope));
    }
    const { data } = slope;
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
    const bounds = isOld ? [] : [node.optional(1), node.optional(2)];
    if (bounds.some((operand) => operand?.kind === "computed")) {
      const f = new Formula(context);
      const [low, high] = bounds;
      const raised = low === undefined ? node.input(0) : f.max(node.input(0), low);
      return high === undefined ? raised : f.min(raised, high);
    }
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
function softmaxLike(
  op: string,
  apply: (formula: Formula, x: Operand, axis: number) => Operand,
): Rule {
  return defineRule({
    op,
    import: (node, context) => {
      const axis = node.int("axis", context.opset < 13 ? 1 : -1);
      const formula = new Formula(context);
      return onAxis(formula, node.input(0), axis, context.opset, (x, along) =>
        apply(formula, x, along),
      );
    },
  });
}

/** x - max - log(sum(exp(x - max))): the logarithm of a sum between one and the number of elements. */
const logSoftmax = (f: Formula, x: Operand, axis: number): Operand => {
  const distance = f.sub(f.reduce("reduce_max", x, [axis]), x);
  const sum = f.sum(f.apply("exp_neg", distance), [axis]);
  return f.neg(f.add(distance, f.apply("log", sum)));
};

/** An operator with attributes, as a formula. */
function formula(op: string, make: (f: Formula, x: Operand, node: NodeView) => Operand): Rule {
  return defineRule({
    op,
    import: (node, context) => make(new Formula(context), node.input(0), node),
  });
}

const f32 = Math.fround;

const hardSigmoid = (f: Formula, x: Operand, alpha: number, beta: number): Operand =>
  f.apply("clip", f.add(f.mul(x, alpha), beta), { min: 0, max: 1 });

/** x - bias above lambda, x + bias below -lambda, zero between. */
const shrink = (f: Formula, x: Operand, lambda: number, bias: number): Operand =>
  f.add(
    f.mask(f.sub(x, bias), f.greater(x, lambda)),
    f.mask(f.add(x, bias), f.greater(-lambda, x)),
  );

/** Activations of one number by the names that recurrent layers use too. */
export const activationRules: readonly Rule[] = [
  unary("Relu", "relu"),
  unary("Sigmoid", "sigmoid"),
  unary("Tanh", "tanh"),
  unary("Reciprocal", "reciprocal", { min: -Infinity, max: Infinity }),
  unary("Mish", "mish"),
  unary("Softplus", "softplus"),
  unary("Softsign", "softsign"),
  leakyRelu,
  prelu,
  clip,
  softmaxLike("Softmax", (f, x, axis) => f.apply("softmax", x, { axis })),
  softmaxLike("LogSoftmax", logSoftmax),
  formula("Gelu", (f, x, node) =>
    f.apply(node.string("approximate", "none") === "tanh" ? "gelu_tanh" : "gelu", x),
  ),
  formula("Swish", (f, x, node) => f.apply("swish", x, { alpha: node.float("alpha", 1) })),
  formula("Elu", (f, x, node) => f.apply("elu", x, { alpha: node.float("alpha", 1) })),
  formula("Celu", (f, x, node) => f.apply("celu", x, { alpha: node.float("alpha", 1) })),
  formula("Selu", (f, x, node) =>
    f.mul(
      f.apply("elu", x, { alpha: node.float("alpha", f32(1.6732632423543772)) }),
      node.float("gamma", f32(1.0507009873554805)),
    ),
  ),
  formula("HardSigmoid", (f, x, node) =>
    hardSigmoid(f, x, node.float("alpha", f32(0.2)), node.float("beta", 0.5)),
  ),
  formula("HardSwish", (f, x) => f.mul(x, hardSigmoid(f, x, 1 / 6, 0.5))),
  formula("ThresholdedRelu", (f, x, node) => f.mask(x, f.greater(x, node.float("alpha", 1)))),
  formula("Shrink", (f, x, node) => shrink(f, x, node.float("lambd", 0.5), node.float("bias", 0))),
];
