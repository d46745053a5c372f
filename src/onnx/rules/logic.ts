import { fail } from "../../base/index.ts";
import { broadcastIndex, broadcastShapes } from "../../ops/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { aligned } from "./elementwise.ts";
import { foldingElements, type Lowering, toBool } from "./folding.ts";
import type { Formula } from "./formula.ts";
import type { ConstOperand, Operand, Rule } from "./rule.ts";

/**
 * The rule, where its first inputs are truth values, as the standard has them: all of them, or so many.
 *
 * @throws N2F_ONNX_DTYPE, inside, where one is of numbers: other than 0 and 1 they would not be what they seem
 */
function ofTruth(rule: Rule, count = Number.POSITIVE_INFINITY): Rule {
  return {
    ...rule,
    import: (node, context) => {
      const other = node
        .inputs()
        .slice(0, count)
        .find(({ dtype }) => dtype !== "bool");
      if (other !== undefined) {
        fail("N2F_ONNX_DTYPE", `it takes truth values, and is given type ${other.dtype}`, {
          hint: "Compare the numbers in the model, or cast them to bool.",
        });
      }
      return rule.import(node, context);
    },
  };
}

/** Comparisons and logic give truth values: 1 and 0, exact, without a binary point. */
function comparison(
  op: string,
  fn: (a: number, b: number) => boolean,
  lower: (formula: Formula, a: Operand, b: Operand) => Operand,
): Rule {
  const lowerAligned: Lowering = (formula, [a, b], node, context) =>
    lower(formula, a, aligned(node, context, a, b));
  return foldingElements(op, 2, ([a, b]) => Number(fn(a, b)), toBool, lowerAligned);
}

/**
 * With a constant condition a choice is wires: elements of both sides, put in a row and taken by number.
 */
function chooseByConstant(
  formula: Formula,
  condition: ConstOperand,
  [a, b]: readonly Operand[],
): Operand {
  const shape = broadcastShapes(condition.shape, a.shape, b.shape);
  formula.checkListed(sizeOf(shape));
  const index = (operand: Operand) => broadcastIndex(operand.shape, shape);
  const [test, left, right] = [index(condition), index(a), index(b)];
  const skip = sizeOf(a.shape);
  const indices = Array.from({ length: sizeOf(shape) }, (_, i) =>
    condition.data.data[test?.[i] ?? i] !== 0 ? (left?.[i] ?? i) : skip + (right?.[i] ?? i),
  );
  const row = formula.concat(
    [a, b].map((side) => formula.reshape(side, [sizeOf(side.shape)])),
    0,
  );
  return formula.apply("take", row, { shape, indices });
}

const where = foldingElements(
  "Where",
  3,
  ([test, a, b]) => (test === 0 ? b : a),
  ([, a]) => a.dtype,
  (formula, [condition, a, b]) =>
    condition.kind === "const"
      ? chooseByConstant(formula, condition, [a, b])
      : formula.choose(condition, a, b),
);

export const logicRules: readonly Rule[] = [
  comparison(
    "Equal",
    (a, b) => a === b,
    (f, a, b) => f.equal(a, b),
  ),
  comparison(
    "Less",
    (a, b) => a < b,
    (f, a, b) => f.greater(b, a),
  ),
  comparison(
    "LessOrEqual",
    (a, b) => a <= b,
    (f, a, b) => f.not(f.greater(a, b)),
  ),
  comparison(
    "Greater",
    (a, b) => a > b,
    (f, a, b) => f.greater(a, b),
  ),
  comparison(
    "GreaterOrEqual",
    (a, b) => a >= b,
    (f, a, b) => f.not(f.greater(b, a)),
  ),
  ofTruth(
    comparison(
      "And",
      (a, b) => a !== 0 && b !== 0,
      (f, a, b) => f.min(a, b),
    ),
  ),
  ofTruth(
    comparison(
      "Or",
      (a, b) => a !== 0 || b !== 0,
      (f, a, b) => f.max(a, b),
    ),
  ),
  ofTruth(
    comparison(
      "Xor",
      (a, b) => (a !== 0) !== (b !== 0),
      (f, a, b) => f.sub(f.max(a, b), f.min(a, b)),
    ),
  ),
  ofTruth(
    foldingElements(
      "Not",
      1,
      ([x]) => Number(x === 0),
      toBool,
      (f, [x]) => f.not(x),
    ),
  ),
  ofTruth(where, 1),
];
