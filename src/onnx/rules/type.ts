import { dataTypeName, elementTypes, makeTensor } from "../../tensor/index.ts";
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
    const x = node.input(0);
    if (dtype !== "bool") return convert(x, dtype, context);
    if (x.dtype === "bool") return context.apply("identity", [x]);
    if (x.kind === "computed") {
      unsupported(
        "Cast to bool compares every number with zero, which has no hardware",
        "Keep the number, or leave the comparison to the host.",
      );
    }
    const data = x.data.data.map((value) => (value === 0 ? 0 : 1));
    return context.constant(makeTensor(x.shape, data, dtype));
  },
});

function convert(x: Operand, dtype: "float" | "int", context: RuleContext): Operand {
  if (x.dtype === dtype) return context.apply("identity", [x]);
  if (x.dtype === "float") return context.apply("truncate", [x]);
  // A product with one of the wanted type: it costs nothing, and the result is of that type.
  return context.apply("mul", [x, context.constant(makeTensor([], [1], dtype), "one")]);
}

export const typeRules: readonly Rule[] = [identity, cast];
