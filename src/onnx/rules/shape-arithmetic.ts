import { fail } from "../../base/index.ts";
import { broadcastIndex, broadcastShapes, normalizeAxis } from "../../ops/index.ts";
import {
  type DType,
  makeTensor,
  type Shape,
  sameShape,
  shapeText,
  sizeOf,
  stridesOf,
  type Tensor,
} from "../../tensor/index.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Operand, type Rule, unsupported } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

/*
 * Operators that exporters write to work out shapes, masks and tables. All shapes are known here, so they
 * are calculated while the model is imported; over what the network computes they are not supported.
 */

/** An operator of so many inputs, at least, which is evaluated if they are constants. */
function folding(
  op: string,
  arity: number,
  evaluate: (args: readonly Tensor[], node: NodeView, context: RuleContext) => Tensor,
): Rule {
  return defineRule({
    op,
    import: (node, context) => {
      node.input(arity - 1);
      const args = node.inputs().map((input) => {
        if (input.kind === "const") return input.data;
        return unsupported(
          `${op} of what the network computes`,
          `${op} is only worked out where all its inputs are constants, as in the arithmetic of shapes. Leave this step to the host, or write it with operators that nn2fpga has.`,
        );
      });
      return context.constant(evaluate(args, node, context), "folded");
    },
  });
}

/** Element by element, with the broadcasting of numpy. */
function elementwise(
  op: string,
  arity: number,
  fn: (values: readonly number[], node: NodeView) => number,
  dtypeOf: (args: readonly Tensor[]) => DType,
): Rule {
  return folding(op, arity, (args, node, context) => {
    const shape = broadcastShapes(...args.map((arg) => arg.shape));
    context.checkFolded(shape);
    const indices = args.map((arg) => broadcastIndex(arg.shape, shape));
    const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) =>
      fn(
        args.map((arg, k) => arg.data[indices[k]?.[i] ?? i]),
        node,
      ),
    );
    return makeTensor(shape, data, dtypeOf(args));
  });
}

const ofFirst = ([first]: readonly Tensor[]): DType => first.dtype;
const toBool = (): DType => "bool";

const comparison = (op: string, fn: (a: number, b: number) => boolean): Rule =>
  elementwise(op, 2, ([a, b]) => Number(fn(a, b)), toBool);

const unary = (op: string, fn: (x: number) => number): Rule =>
  elementwise(op, 1, ([x]) => fn(x), ofFirst);

/** Half to even. */
function roundEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest > 0.5 ? floor + 1 : floor;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The sign of the divisor, as Python has it, or with `fmod` that of the dividend. */
const mod = elementwise(
  "Mod",
  2,
  ([a, b], node) => {
    const rest = a % b;
    return node.int("fmod", 0) === 0 && rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
  },
  ofFirst,
);

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

function readShape(extents: Tensor, context: RuleContext): Shape {
  const target = Array.from(extents.data);
  if (target.some((extent) => !Number.isInteger(extent) || extent < 0))
    fail("N2F_ONNX_SHAPE", `[${target}] is no shape`);
  context.checkFolded(target);
  return target;
}

const expand = defineRule({
  op: "Expand",
  import: (node, context): Operand => {
    const extents = node.constant(1, "the shape");
    const x = node.input(0);
    const target = broadcastShapes(x.shape, readShape(extents, context));
    context.checkFolded(target);
    if (x.kind === "const") {
      const index = broadcastIndex(x.shape, target);
      const data = index ? Float64Array.from(index, (i) => x.data.data[i]) : x.data.data;
      return context.constant(makeTensor(target, data, x.dtype), "folded");
    }
    if (sameShape(target, x.shape)) return context.apply("identity", [x]);
    return unsupported(
      `Expand of what the network computes, from ${shapeText(x.shape)} to ${shapeText(target)}`,
      "Leave it out where the next operator broadcasts by itself, as Add and Mul do.",
    );
  },
});

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

/** For the number of elements of a shape. */
const reduceProd = folding("ReduceProd", 1, ([x, axes], node) => {
  const rank = x.shape.length;
  const listed = axes === undefined ? node.optionalInts("axes") : Array.from(axes.data);
  const isGone = x.shape.map(() => (listed?.length ?? 0) === 0);
  for (const axis of listed ?? []) isGone[normalizeAxis(axis, rank)] = true;
  const kept = x.shape.map((extent, axis) => (isGone[axis] ? 1 : extent));
  const data = new Float64Array(sizeOf(kept)).fill(1);
  const place = broadcastIndex(kept, x.shape);
  x.data.forEach((value, i) => {
    data[place?.[i] ?? i] *= value;
  });
  const isKept = node.int("keepdims", 1) !== 0;
  return makeTensor(isKept ? kept : kept.filter((_, axis) => !isGone[axis]), data, x.dtype);
});

const tile = folding("Tile", 2, ([x, repeats], _node, context) => {
  const extents = x.shape.map((extent, axis) => extent * repeats.data[axis]);
  const target = readShape(makeTensor([extents.length], extents), context);
  const [from, to] = [stridesOf(x.shape), stridesOf(target)];
  const data = Float64Array.from({ length: sizeOf(target) }, (_, i) => {
    const at = target.map((extent, axis) => (Math.floor(i / to[axis]) % extent) % x.shape[axis]);
    return x.data[at.reduce((sum, position, axis) => sum + position * from[axis], 0)];
  });
  return makeTensor(target, data, x.dtype);
});

export const shapeArithmeticRules: readonly Rule[] = [
  shape,
  size,
  constantOfShape,
  expand,
  range,
  nonZero,
  reduceProd,
  tile,
  mod,
  comparison("Equal", (a, b) => a === b),
  comparison("Less", (a, b) => a < b),
  comparison("LessOrEqual", (a, b) => a <= b),
  comparison("Greater", (a, b) => a > b),
  comparison("GreaterOrEqual", (a, b) => a >= b),
  comparison("And", (a, b) => a !== 0 && b !== 0),
  comparison("Or", (a, b) => a !== 0 || b !== 0),
  elementwise("Not", 1, ([x]) => Number(x === 0), toBool),
  elementwise(
    "Where",
    3,
    ([test, a, b]) => (test === 0 ? b : a),
    ([, a]) => a.dtype,
  ),
  elementwise("Pow", 2, ([a, b]) => a ** b, ofFirst),
  unary("Abs", Math.abs),
  unary("Ceil", Math.ceil),
  unary("Exp", Math.exp),
  unary("Floor", Math.floor),
  unary("Log", Math.log),
  unary("Round", roundEven),
  unary("Sqrt", Math.sqrt),
];
