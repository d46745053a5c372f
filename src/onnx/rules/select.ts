import { fail } from "../../base/index.ts";
import { normalizeAxis, splitAtAxis } from "../../ops/index.ts";
import { makeTensor, shapeText, sizeOf } from "../../tensor/index.ts";
import { axisOf, Formula } from "./formula.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

const concat = defineRule({
  op: "Concat",
  import: (node, context) => {
    const axis = node.int("axis");
    const args = node.inputs();
    // Nothing may be joined to something; but not every shape of nothing to every something.
    const shapes = args.map(({ shape }) => shape);
    const full = args.filter(({ shape }) => sizeOf(shape) > 0);
    if (full.length === 0 || full.length === args.length || shapes[0].length !== 1)
      return context.apply("concat", args, { axis });
    return context.apply("concat", full, { axis });
  },
});

/**
 * Positions that the network computes, as in an embedding: each is compared with all there are, and the row
 * of truth values multiplied with x.
 */
function lookUp(f: Formula, x: Operand, positions: Operand, axis: number): Operand {
  const { outer, length, inner } = splitAtAxis(x.shape, axis);
  const count = sizeOf(positions.shape);
  const column = f.reshape(positions, [count, 1]);
  const fromFront = f.add(column, f.mask(length, f.greater(0, column)));
  const all = f.constant(
    Array.from({ length }, (_, i) => i),
    [1, length],
    "int",
  );
  const isHere = f.equal(fromFront, all);
  const rows = f.reshape(x, [outer, length, inner]);
  // Of the type of x, which a product with a truth value would lose.
  const hot = f.mul(isHere, f.constant([1], [], x.dtype === "bool" ? "bool" : x.dtype));
  const taken = f.matmul(hot, rows);
  return f.reshape(taken, x.shape.toSpliced(axis, 1, ...positions.shape));
}

/** Takes positions along one axis; the axes of the list of positions stand in its place. */
const gather = defineRule({
  op: "Gather",
  import: (node, context) => {
    const axis = node.int("axis", 0);
    const given = node.input(1);
    const x = node.input(0);
    const along = axisOf(x, axis);
    if (given.kind === "computed") return lookUp(new Formula(context), x, given, along);
    const positions = given.data;
    const extent = x.shape[along];
    const indices = Array.from(positions.data, (i) => (i < 0 ? i + extent : i));
    const taken = context.apply("gather", [x], { axis: along, indices });
    if (positions.shape.length === 1) return taken;
    const shape = [...x.shape.slice(0, along), ...positions.shape, ...x.shape.slice(along + 1)];
    return context.apply("reshape", [taken], { shape });
  },
});

interface Bounds {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly axes: readonly number[] | undefined;
  readonly steps: readonly number[] | undefined;
}

/** Bounds are attributes before opset 10 and constant inputs from then on. */
function readBounds(node: NodeView, { opset }: RuleContext): Bounds {
  if (opset < 10) {
    const [starts, ends] = [node.ints("starts"), node.ints("ends")];
    return { starts, ends, axes: node.optionalInts("axes"), steps: undefined };
  }
  return {
    starts: node.integers(1, "the list of starts"),
    ends: node.integers(2, "the list of ends"),
    axes: node.optionalIntegers(3, "the list of axes"),
    steps: node.optionalIntegers(4, "the list of steps"),
  };
}

/** Bounds may lie outside of the tensor, and count from its end where they are negative. */
const slice = defineRule({
  op: "Slice",
  import: (node, context) => {
    const bounds = readBounds(node, context);
    const x = node.input(0);
    if (x.shape.length === 0) fail("N2F_OP_ATTRIBUTE", "a scalar has no axis to take a slice of");
    const starts = x.shape.map(() => 0);
    const steps = x.shape.map(() => 1);
    const counts = [...x.shape];
    bounds.starts.forEach((start, i) => {
      const axis = normalizeAxis(bounds.axes?.[i] ?? i, x.shape.length);
      const extent = x.shape[axis];
      const step = bounds.steps?.[i] ?? 1;
      if (step === 0) fail("N2F_OP_ATTRIBUTE", `the step along axis ${axis} is 0`);
      // Forward 0 .. extent, backward -1 .. extent - 1.
      const [low, high] = step > 0 ? [0, extent] : [-1, extent - 1];
      const clamp = (bound: number) =>
        Math.min(Math.max(bound < 0 ? bound + extent : bound, low), high);
      const [first, end] = [clamp(start), clamp(bounds.ends[i] ?? extent)];
      starts[axis] = first;
      steps[axis] = step;
      counts[axis] = Math.max(0, Math.ceil((end - first) / step));
    });
    if (sizeOf(counts) > 0) return context.apply("slice", [x], { starts, steps, counts });
    if (x.kind === "const") return context.constant(makeTensor(counts, [], x.dtype), "slice");
    return fail("N2F_ONNX_SHAPE", `the slice has the shape ${shapeText(counts)}: no elements`, {
      hint: "Remove this part of the network; it computes nothing.",
    });
  },
});

export const selectRules: readonly Rule[] = [concat, gather, slice];
