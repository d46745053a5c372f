import { sizeOf } from "../../tensor/index.ts";
import { aligned } from "./elementwise.ts";
import { foldingElements, ofFirst } from "./folding.ts";
import type { Formula } from "./formula.ts";
import { defineRule, type Operand, type Rule, unsupported } from "./rule.ts";

/** A function of one number that is one of our operators. */
function unary(op: string, ours: string): Rule {
  return defineRule({ op, import: (node, context) => context.apply(ours, [node.input(0)]) });
}

/** Largest exponent that is made of products. */
const maxProducts = 16;

/** x to a whole power by squaring: 13 = 8 + 4 + 1. */
function wholePower(formula: Formula, x: Operand, exponent: number): Operand {
  let result: Operand | undefined;
  let square = x;
  for (let rest = exponent; ; ) {
    if (rest % 2 === 1) result = result === undefined ? square : formula.mul(result, square);
    rest = Math.floor(rest / 2);
    if (rest === 0) break;
    square = formula.apply("square", square);
  }
  return result as Operand;
}

function power(formula: Formula, x: Operand, exponent: number): Operand {
  if (exponent === 0) return formula.add(formula.mul(x, 0), 1);
  if (exponent === 1) return x;
  if (exponent === 0.5) return formula.apply("sqrt", x);
  if (exponent === -0.5) return formula.apply("rsqrt", x);
  if (exponent === -1) return formula.apply("reciprocal", x, { min: -Infinity, max: Infinity });
  if (Number.isInteger(exponent) && exponent > 0 && exponent <= maxProducts)
    return wholePower(formula, x, exponent);
  return formula.apply("power", x, { exponent });
}

/** Constant exponents alone, all the same; or a base that is positive, by exp(y * log(x)). */
const pow = foldingElements(
  "Pow",
  2,
  ([a, b]) => a ** b,
  ofFirst,
  (formula, [x, y], node, context) => {
    const exponent = y.kind === "const" ? y.data.data[0] : undefined;
    const isOne = y.kind === "const" && y.data.data.every((value) => value === exponent);
    if (exponent !== undefined && isOne) {
      const shape = formula.constant(new Float64Array(sizeOf(y.shape)), y.shape, x.dtype);
      const grown =
        y.shape.length > x.shape.length || sizeOf(y.shape) > 1 ? formula.add(x, shape) : x;
      return power(formula, grown, exponent);
    }
    if (x.dtype !== "float") {
      return unsupported(
        "integers are raised to a power that is computed or differs by element",
        "Cast to float before, or use one constant exponent.",
      );
    }
    const exponents = aligned(node, context, x, y);
    const scale =
      exponents.dtype === "float" ? exponents : formula.mul(exponents, formula.constant([1], []));
    const logarithm =
      x.kind === "const"
        ? formula.constant(x.data.data.map(Math.log), x.shape)
        : formula.apply("log", x);
    return formula.apply("exp", formula.mul(scale, logarithm));
  },
);

const ceil = defineRule({
  op: "Ceil",
  import: (node, context) => {
    const minus = (x: Operand) =>
      context.apply("mul", [
        x,
        context.constant({ shape: [], dtype: x.dtype, data: Float64Array.of(-1) }),
      ]);
    return minus(context.apply("floor", [minus(node.input(0))]));
  },
});

const abs = foldingElements(
  "Abs",
  1,
  ([x]) => Math.abs(x),
  ofFirst,
  (formula, [x]) => formula.abs(x),
);

export const functionRules: readonly Rule[] = [
  abs,
  ceil,
  pow,
  unary("Acos", "acos"),
  unary("Acosh", "acosh"),
  unary("Asin", "asin"),
  unary("Asinh", "asinh"),
  unary("Atan", "atan"),
  unary("Atanh", "atanh"),
  unary("Cos", "cos"),
  unary("Cosh", "cosh"),
  unary("Erf", "erf"),
  unary("Exp", "exp"),
  unary("Floor", "floor"),
  unary("Log", "log"),
  unary("Round", "round"),
  unary("Sign", "sign"),
  unary("Sin", "sin"),
  unary("Sinh", "sinh"),
  unary("Sqrt", "sqrt"),
  unary("Tan", "tan"),
];
