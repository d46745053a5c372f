import { type DType, dataTypeName, elementTypes, makeTensor } from "../../tensor/index.ts";
import { Formula } from "./formula.ts";
import { defineRule, type Operand, type Rule, unsupported } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

const identity = defineRule({
  op: "Identity",
  import: (node, context) => {
    const x = node.input(0);
    return x.kind === "const" ? x : context.apply("identity", [x]);
  },
});

/**
 * Numbers keep their value between float types and between integer types, whatever their width: formats
 * are chosen by quantization. From float to integer the fraction is dropped.
 */
const cast = defineRule({
  op: "Cast",
  import: (node, context) => {
    const code = node.int("to");
    const type = dataTypeName(code);
    if (type === undefined || !(type in elementTypes)) {
      unsupported(
        `Cast to ${type ?? `the type number ${code}`}`,
        "Cast to float or to an integer type.",
      );
    }
    const { dtype } = elementTypes[type as keyof typeof elementTypes];
    return toType(node.input(0), dtype, context);
  },
});

function toType(x: Operand, dtype: DType, context: RuleContext): Operand {
  if (dtype !== "bool") return convert(x, dtype, context);
  if (x.dtype === "bool") return context.apply("identity", [x]);
  if (x.kind === "computed") {
    const f = new Formula(context);
    return f.max(f.greater(x, 0), f.greater(0, x));
  }
  const data = x.data.data.map((value) => (value === 0 ? 0 : 1));
  return context.constant(makeTensor(x.shape, data, dtype));
}

function convert(x: Operand, dtype: "float" | "int", context: RuleContext): Operand {
  if (x.dtype === dtype) return context.apply("identity", [x]);
  if (x.dtype === "float") return context.apply("truncate", [x]);
  // A product with one of the wanted type: it costs nothing, and the result is of that type.
  return context.apply("mul", [x, context.constant(makeTensor([], [1], dtype), "one")]);
}

/** The type of another value; of what is computed only the kind of numbers is known, which is enough. */
const castLike = defineRule({
  op: "CastLike",
  import: (node, context) => toType(node.input(0), node.input(1).dtype, context),
});

export const typeRules: readonly Rule[] = [cast, castLike, identity];
