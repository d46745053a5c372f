import { fail } from "../../base/index.ts";
import { broadcastShapes } from "../../ops/index.ts";
import { makeTensor, shapeText, sizeOf } from "../../tensor/index.ts";
import { axisOf, Formula } from "./formula.ts";
import { defineRule, type Rule, unsupported } from "./rule.ts";
import { readShape } from "./shape-arithmetic.ts";

/** Parts of given lengths, or of equal ones of which the last may be shorter. */
const split = defineRule({
  op: "Split",
  import: (node, context) => {
    const { outputCount } = node;
    const listed =
      context.opset >= 13
        ? node.optionalIntegers(1, "the list of lengths")
        : node.optionalInts("split");
    const x = node.input(0);
    const axis = axisOf(x, node.int("axis", 0));
    const extent = x.shape[axis];
    const share = Math.ceil(extent / node.int("num_outputs", outputCount));
    const lengths =
      listed ??
      Array.from({ length: outputCount }, (_, i) =>
        Math.max(0, Math.min(share, extent - i * share)),
      );
    if (lengths.reduce((a, b) => a + b, 0) !== extent || lengths.length < outputCount)
      fail("N2F_OP_ATTRIBUTE", `${shapeText(x.shape)} cannot be split into [${lengths}]`);
    const formula = new Formula(context);
    let start = 0;
    return lengths.map((length) => {
      start += length;
      if (length === 0 && x.kind === "const")
        return context.constant(makeTensor(x.shape.with(axis, 0), [], x.dtype), "split");
      return formula.slice(x, axis, start - length, length);
    });
  },
});

const expand = defineRule({
  op: "Expand",
  import: (node, context) => {
    const extents = node.constant(1, "the shape");
    const x = node.input(0);
    const shape = broadcastShapes(x.shape, readShape(extents, context));
    if (shape.join() === x.shape.join()) return context.apply("identity", [x]);
    return context.apply("expand", [x], { shape });
  },
});

/** Each axis is given one of extent 1 in front, expanded, and joined to it. */
const tile = defineRule({
  op: "Tile",
  import: (node, context) => {
    const repeats = node.integers(1, "the list of repeats");
    const x = node.input(0);
    if (repeats.length !== x.shape.length || repeats.some((count) => count < 0))
      fail("N2F_OP_ATTRIBUTE", `[${repeats}] repeats do not fit ${shapeText(x.shape)}`);
    const target = readShape(
      makeTensor(
        [repeats.length],
        x.shape.map((extent, axis) => extent * repeats[axis]),
      ),
      context,
    );
    const f = new Formula(context);
    const apart = x.shape.flatMap((extent) => [1, extent]);
    const spread = x.shape.flatMap((extent, axis) => [repeats[axis], extent]);
    return f.reshape(f.expand(f.reshape(x, apart), spread), target);
  },
});

const blockOf = (node: { int(name: string): number }, shape: readonly number[]): number => {
  const block = node.int("blocksize");
  if (shape.length !== 4 || !(block >= 1))
    fail("N2F_OP_ATTRIBUTE", `blocks of ${block} do not fit ${shapeText(shape)}`);
  return block;
};

const depthToSpace = defineRule({
  op: "DepthToSpace",
  import: (node, context) => {
    const x = node.input(0);
    const b = blockOf(node, x.shape);
    const isRowsFirst = node.string("mode", "DCR") === "DCR";
    const [n, c, h, w] = x.shape;
    const d = c / (b * b);
    if (!Number.isInteger(d))
      fail("N2F_OP_ATTRIBUTE", `blocks of ${b} do not fit ${shapeText(x.shape)}`);
    const f = new Formula(context);
    const apart = f.reshape(x, isRowsFirst ? [n, b, b, d, h, w] : [n, d, b, b, h, w]);
    const turned = f.transpose(apart, isRowsFirst ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]);
    return f.reshape(turned, [n, d, h * b, w * b]);
  },
});

const spaceToDepth = defineRule({
  op: "SpaceToDepth",
  import: (node, context) => {
    const x = node.input(0);
    const b = blockOf(node, x.shape);
    const [n, c, h, w] = x.shape;
    if (h % b !== 0 || w % b !== 0)
      fail("N2F_OP_ATTRIBUTE", `blocks of ${b} do not fit ${shapeText(x.shape)}`);
    const f = new Formula(context);
    const apart = f.reshape(x, [n, c, h / b, b, w / b, b]);
    return f.reshape(f.transpose(apart, [0, 3, 5, 1, 2, 4]), [n, c * b * b, h / b, w / b]);
  },
});

/** Elements on one side of a diagonal of the last two axes; the others are zero. */
const trilu = defineRule({
  op: "Trilu",
  import: (node, context) => {
    const k = node.optionalIntegers(1, "the diagonal")?.[0] ?? 0;
    const isUpper = node.flag("upper", true);
    const x = node.input(0);
    if (x.shape.length < 2) fail("N2F_OP_ATTRIBUTE", `${shapeText(x.shape)} has no diagonal`);
    const size = sizeOf(x.shape);
    if (size === 0) return context.apply("identity", [x]);
    const [rows, columns] = x.shape.slice(-2);
    context.checkListed(size);
    const indices = Array.from({ length: size }, (_, i) => {
      const distance = (i % columns) - (Math.floor(i / columns) % rows) - k;
      return (isUpper ? distance >= 0 : distance <= 0) ? i : size;
    });
    const f = new Formula(context);
    const row = f.concat([f.reshape(x, [size]), f.zeros([1], x.dtype)], 0);
    return f.apply("take", row, { shape: x.shape, indices });
  },
});

const compress = defineRule({
  op: "Compress",
  import: (node, context) => {
    const chosen = node.constant(1, "the condition");
    const x = node.input(0);
    const indices = Array.from(chosen.data.keys()).filter((i) => chosen.data[i] !== 0);
    const f = new Formula(context);
    if (node.has("axis"))
      return f.apply("gather", x, { axis: axisOf(x, node.int("axis")), indices });
    return f.apply("gather", f.reshape(x, [sizeOf(x.shape)]), { axis: 0, indices });
  },
});

/** A product with a triangular matrix of ones. */
const cumSum = defineRule({
  op: "CumSum",
  import: (node, context) => {
    const isReverse = node.flag("reverse", false);
    const isExclusive = node.flag("exclusive", false);
    const [listed] = node.integers(1, "the axis");
    const x = node.input(0);
    const axis = axisOf(x, listed);
    const n = x.shape[axis];
    context.checkListed(n * n);
    const ones = Array.from({ length: n * n }, (_, i) => {
      const distance = ((i % n) - Math.floor(i / n)) * (isReverse ? -1 : 1);
      return distance > 0 || (distance === 0 && !isExclusive) ? 1 : 0;
    });
    const f = new Formula(context);
    const perm = x.shape.map((_, i) => i);
    [perm[axis], perm[perm.length - 1]] = [perm.length - 1, axis];
    const sums = f.matmul(f.transpose(x, perm), f.constant(ones, [n, n], x.dtype));
    return f.transpose(sums, perm);
  },
});

/** The first so many of each sequence backward. */
const reverseSequence = defineRule({
  op: "ReverseSequence",
  import: (node, context) => {
    const lengths = node.integers(1, "the list of lengths");
    const [time, batch] = [node.int("time_axis", 0), node.int("batch_axis", 1)];
    const x = node.input(0);
    const isFront = [time, batch].toSorted().join() === "0,1";
    const fits = lengths.every((n) => n >= 0 && n <= x.shape[time]);
    if (!isFront || x.shape.length < 2 || lengths.length !== x.shape[batch] || !fits)
      fail("N2F_OP_ATTRIBUTE", `${lengths.length} lengths do not fit ${shapeText(x.shape)}`);
    const stride = (axis: number) => sizeOf(x.shape.slice(axis + 1));
    const place = (i: number, axis: number) => Math.floor(i / stride(axis)) % x.shape[axis];
    context.checkListed(sizeOf(x.shape));
    const indices = Array.from({ length: sizeOf(x.shape) }, (_, i) => {
      const [t, length] = [place(i, time), lengths[place(i, batch)]];
      return t < length ? i + (length - 1 - 2 * t) * stride(time) : i;
    });
    return context.apply("take", [x], { shape: x.shape, indices });
  },
});

const eyeLike = defineRule({
  op: "EyeLike",
  import: (node, context) => {
    const k = node.int("k", 0);
    const { shape, dtype } = node.input(0);
    if (node.has("dtype") || shape.length !== 2)
      unsupported(
        "EyeLike with a type of its own, or of no matrix",
        "Write the matrix as an initializer.",
      );
    const columns = shape[1];
    context.checkListed(sizeOf(shape));
    const data = Array.from({ length: sizeOf(shape) }, (_, i) =>
      (i % columns) - Math.floor(i / columns) === k ? 1 : 0,
    );
    return context.constant(makeTensor(shape, data, dtype));
  },
});

export const structureRules: readonly Rule[] = [
  compress,
  cumSum,
  depthToSpace,
  expand,
  eyeLike,
  reverseSequence,
  spaceToDepth,
  split,
  tile,
  trilu,
];
