import { fail } from "../../base/index.ts";
import { makeTensor, type Shape, sizeOf, stridesOf, type Tensor } from "../../tensor/index.ts";
import { folding } from "./folding.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Rule } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

/*
 * Operators that exporters write to work out shapes, masks and tables. All shapes are known here, so they
 * are calculated while the model is imported; over what the network computes they are not supported.
 */

/** The extents of a value; of some of the axes from opset 15 on. Values need not be known for it. */
const shape = defineRule({
  op: "Shape",
  import: (node, context) => {
    const extents = node.input(0).shape.slice(node.int("start", 0), endOf(node));
    return context.constant(makeTensor([extents.length], extents, "int"), "shape");
  },
});

const endOf = (node: NodeView): number | undefined =>
  node.has("end") ? node.int("end") : undefined;

const size = defineRule({
  op: "Size",
  import: (node, context) =>
    context.constant(makeTensor([], [sizeOf(node.input(0).shape)], "int"), "size"),
});

const constantOfShape = folding("ConstantOfShape", 1, ([extents], node, context) => {
  const target = readShape(extents, context);
  const value = node.optionalTensor("value");
  const data = new Float64Array(sizeOf(target)).fill(value?.data[0] ?? 0);
  return makeTensor(target, data, value?.dtype ?? "float");
});

export function readShape(extents: Tensor, context: RuleContext): Shape {
  const target = Array.from(extents.data);
  if (target.some((extent) => !Number.isInteger(extent) || extent < 0))
    fail("N2F_ONNX_SHAPE", `[${target}] is no shape`);
  context.checkFolded(target);
  return target;
}

const range = folding("Range", 3, ([start, limit, delta], _node, context) => {
  const [first, end, step] = [start.data[0], limit.data[0], delta.data[0]];
  const count = Math.max(0, Math.ceil((end - first) / step));
  context.checkFolded([count]);
  const data = Float64Array.from({ length: count }, (_, i) => first + i * step);
  return makeTensor([count], data, start.dtype);
});

/** The positions of what is not zero: one row for each axis, one column for each element. */
const nonZero = folding("NonZero", 1, ([x]) => {
  const strides = stridesOf(x.shape);
  const found = Array.from(x.data.keys()).filter((i) => x.data[i] !== 0);
  const rows = x.shape.map((extent, axis) =>
    found.map((i) => Math.floor(i / strides[axis]) % extent),
  );
  return makeTensor([x.shape.length, found.length], rows.flat(), "int");
});

export const shapeArithmeticRules: readonly Rule[] = [shape, size, constantOfShape, range, nonZero];
