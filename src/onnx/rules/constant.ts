import { fail } from "../../base/index.ts";
import { makeTensor, type Tensor } from "../../tensor/index.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Rule, unsupported } from "./rule.ts";

function readValue(node: NodeView): Tensor {
  const tensor = node.optionalTensor("value") ?? node.optionalTensor("sparse_value");
  if (tensor !== undefined) return makeTensor(tensor.shape, tensor.data, tensor.dtype);
  if (node.has("value_float")) return makeTensor([], [node.float("value_float")]);
  if (node.has("value_int")) return makeTensor([], [node.int("value_int")], "int");
  if (node.has("value_floats")) {
    const list = node.floats("value_floats");
    return makeTensor([list.length], list);
  }
  if (node.has("value_ints")) {
    const list = node.ints("value_ints");
    return makeTensor([list.length], list, "int");
  }
  if (node.has("value_string") || node.has("value_strings"))
    unsupported("the constant is text", "Remove text from the network; kernels compute numbers.");
  return fail("N2F_OP_ATTRIBUTE", "the constant has no value");
}

const constant = defineRule({
  op: "Constant",
  import: (node, context) => {
    const elementType = node.optionalTensor("value")?.elementType;
    return { ...context.constant(readValue(node)), ...(elementType && { elementType }) };
  },
});

export const constantRules: readonly Rule[] = [constant];
