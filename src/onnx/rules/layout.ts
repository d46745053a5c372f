import { fail } from "../../base/index.ts";
import { normalizeAxis } from "../../ops/index.ts";
import { type Shape, shapeText, sizeOf } from "../../tensor/index.ts";
import { readAxes } from "./reduce.ts";
import { defineRule, type Rule } from "./rule.ts";

/** The shape that is meant by a list with -1 (what is left) and 0 (as before, unless zeros are allowed). */
function resolveShape(x: Shape, wanted: readonly number[], allowsZero: boolean): Shape {
  const misfit = (): never =>
    fail("N2F_ONNX_SHAPE", `${shapeText(x)} cannot take the shape [${wanted}]`, {
      hint: "A symbolic batch is taken as 1; where the model fixes another batch, export it with a batch of 1.",
    });
  const copied = wanted.map((extent, axis) =>
    extent === 0 && !allowsZero ? (x[axis] ?? misfit()) : extent,
  );
  const known = sizeOf(copied.filter((extent) => extent !== -1));
  const shape = copied.map((extent) => (extent === -1 ? sizeOf(x) / known : extent));
  const isPossible = shape.every((extent) => Number.isInteger(extent) && extent >= 0);
  const guesses = wanted.filter((extent) => extent === -1).length;
  return isPossible && guesses < 2 && sizeOf(shape) === sizeOf(x) ? shape : misfit();
}

const reshape = defineRule({
  op: "Reshape",
  import: (node, context) => {
    const allowsZero = node.flag("allowzero", false);
    const wanted = node.integers(1, "the shape");
    const x = node.input(0);
    return context.apply("reshape", [x], { shape: resolveShape(x.shape, wanted, allowsZero) });
  },
});

const flatten = defineRule({
  op: "Flatten",
  import: (node, context) => {
    const axis = node.int("axis", 1);
    const x = node.input(0);
    const rank = x.shape.length;
    const at = axis === rank ? rank : normalizeAxis(axis, rank);
    const shape = [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))];
    return context.apply("reshape", [x], { shape });
  },
});

const squeeze = defineRule({
  op: "Squeeze",
  import: (node, context) => {
    const listed = readAxes(node, context.opset >= 13);
    const { shape } = node.input(0);
    const axes = listed?.map((axis) => normalizeAxis(axis, shape.length));
    const wrong = axes?.find((axis) => shape[axis] !== 1);
    if (wrong !== undefined) {
      fail("N2F_OP_ATTRIBUTE", `axis ${wrong} of ${shapeText(shape)} is not 1`);
    }
    const rest = shape.filter((extent, axis) => !(axes?.includes(axis) ?? extent === 1));
    return context.apply("reshape", [node.input(0)], { shape: rest });
  },
});

const unsqueeze = defineRule({
  op: "Unsqueeze",
  import: (node, context) => {
    const listed = context.opset >= 13 ? node.integers(1, "the list of axes") : node.ints("axes");
    const x = node.input(0);
    const rank = x.shape.length + listed.length;
    const axes = new Set(listed.map((axis) => normalizeAxis(axis, rank)));
    if (axes.size < listed.length) fail("N2F_OP_ATTRIBUTE", `axes [${listed}] repeat themselves`);
    const rest = x.shape[Symbol.iterator]();
    const shape = Array.from({ length: rank }, (_, axis) =>
      axes.has(axis) ? 1 : (rest.next().value as number),
    );
    return context.apply("reshape", [x], { shape });
  },
});

const transpose = defineRule({
  op: "Transpose",
  import: (node, context) => {
    const listed = node.optionalInts("perm");
    const x = node.input(0);
    const perm = listed ?? x.shape.map((_, axis) => axis).reverse();
    return context.apply("transpose", [x], { perm });
  },
});

export const layoutRules: readonly Rule[] = [reshape, flatten, squeeze, unsqueeze, transpose];
