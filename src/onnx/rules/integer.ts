import { aligned } from "./elementwise.ts";
import { foldingElements, ofFirst } from "./folding.ts";
import { Formula } from "./formula.ts";
import { type ConstOperand, defineRule, type Operand, type Rule, unsupported } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

/** x over one positive integer, toward zero, as integer networks write their shifts. */
export function quotientBy(context: RuleContext, x: Operand, divisor: number): Operand {
  return context.apply("quantize", [x], {
    axis: 0,
    mul: [1],
    add: [0],
    div: [divisor],
    zero_point: [0],
    lo: -(2 ** 52),
    hi: 2 ** 52 - 1,
    rounding: "zero",
    arithmetic: "exact",
  });
}

/** The divisor where it is one positive number for all elements, without more axes than the dividend has. */
function onlyDivisor(a: Operand, { shape, data: { data } }: ConstOperand): number | undefined {
  const [divisor] = data;
  const isOne = divisor > 0 && data.every((other) => other === divisor);
  return isOne && shape.length <= a.shape.length ? divisor : undefined;
}

function quotient(context: RuleContext, a: Operand, b: Operand): Operand {
  const divisor = b.kind === "const" ? onlyDivisor(a, b) : undefined;
  if (a.kind === "computed" && a.dtype !== "float" && divisor !== undefined)
    return quotientBy(context, a, divisor);
  return context.apply("trunc_div", [a, b]);
}

const div = defineRule({
  op: "Div",
  import: (node, context) => {
    const a = node.input(0);
    const b = aligned(node, context, a, node.input(1));
    const isComputed = a.kind === "computed" || b.kind === "computed";
    if (isComputed && a.dtype !== "float") return quotient(context, a, b);
    return context.apply("div", [a, b]);
  },
});

/** The sign of the divisor, as Python has it, or with `fmod` that of the dividend. */
const mod = foldingElements(
  "Mod",
  2,
  ([a, b], node) => {
    const rest = a % b;
    return !node.flag("fmod", false) && rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
  },
  ofFirst,
  (f, [a, b], node, context) => {
    const rest = f.sub(a, f.mul(quotient(context, a, b), b));
    if (node.flag("fmod", false)) return rest;
    const isPositive = b.kind === "const" && b.data.data.every((value) => value > 0);
    const differs = isPositive ? f.greater(0, rest) : f.greater(0, f.mul(rest, b));
    return f.add(rest, f.mask(b, differs));
  },
);

/** Products with powers of two, and quotients by them; the standard shifts unsigned integers alone. */
const bitShift = defineRule({
  op: "BitShift",
  import: (node, context) => {
    const direction = node.string("direction");
    const x = node.input(0);
    const by = node.input(1);
    const f = new Formula(context);
    if (by.kind === "computed") {
      return unsupported(
        "the distance of the shift is computed by the network, not constant",
        "Shift by a constant; or multiply, or divide, by a power of two that the network looks up with Gather.",
      );
    }
    const powers = f.constant(
      by.data.data.map((bits) => 2 ** bits),
      by.shape,
      "int",
    );
    return direction === "LEFT" ? f.mul(x, powers) : quotient(context, x, powers);
  },
});

export const integerRules: readonly Rule[] = [div, mod, bitShift];
