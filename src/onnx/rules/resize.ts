import { fail } from "../../base/index.ts";
import { normalizeAxis } from "../../ops/index.ts";
import { makeTensor, type Shape, sizeOf } from "../../tensor/index.ts";
import type { NodeView } from "./node-view.ts";
import {
  type AxisResize,
  type Interpolation,
  interpolationWeights,
  nearest,
  originalPositions,
} from "./resize-coordinates.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";
import { channelsFirst, channelsLast } from "./windows.ts";

/** How every axis is resized, and how what lies between elements is found. */
interface Resize {
  readonly axes: readonly AxisResize[];
  readonly coordinates: string;
  readonly nearestMode: string;
  /** Nothing: the nearest element. */
  readonly interpolation: Interpolation | undefined;
  /** Stands for what lies outside; nothing where the last elements do. */
  readonly outside: number | undefined;
}

/** Axes by scales, or by the extents of the result. */
function scaledAxes(x: Shape, scales: readonly number[]): AxisResize[] {
  if (scales.length !== x.length || scales.some((scale) => !(scale > 0))) {
    fail("N2F_OP_ATTRIBUTE", `scales [${scales}] do not fit [${x}]`);
  }
  return x.map((extent, axis) => {
    const scale = scales[axis];
    return { extent, scale, result: Math.floor(extent * scale), roi: [0, 1] };
  });
}

function readMode(node: NodeView, context: RuleContext): Interpolation | undefined {
  const mode = node.string("mode", "nearest");
  if (mode === "nearest") return undefined;
  if (mode !== "linear" && mode !== "bilinear" && mode !== "trilinear" && mode !== "cubic") {
    return fail("N2F_OP_ATTRIBUTE", `mode is ${mode}, not nearest, linear or cubic`);
  }
  return {
    mode: mode === "cubic" ? "cubic" : "linear",
    cubicA: context.opset < 11 ? -0.5 : node.float("cubic_coeff_a", -0.75),
    excludeOutside: node.flag("exclude_outside", false),
    antialias: node.flag("antialias", false),
  };
}

/** The axes of which scales, sizes and regions speak. */
function readAxes(node: NodeView, rank: number): readonly number[] {
  const listed = node.optionalInts("axes");
  return (listed ?? Array.from({ length: rank }, (_, axis) => axis)).map((axis) =>
    normalizeAxis(axis, rank),
  );
}

/** Scales that keep the shape of pictures, so that no extent is larger (or smaller) than was asked for. */
function scalesForSizes(node: NodeView, extents: Shape, sizes: readonly number[]) {
  const policy = node.string("keep_aspect_ratio_policy", "stretch");
  const each = sizes.map((size, i) => ({ scale: size / extents[i], size }));
  if (policy === "stretch") return each;
  const scales = each.map(({ scale }) => scale);
  const scale = policy === "not_larger" ? Math.min(...scales) : Math.max(...scales);
  return extents.map((extent) => ({ scale, size: Math.floor(scale * extent + 0.5) }));
}

function readResize(node: NodeView, context: RuleContext, x: Shape): Resize {
  const interpolation = readMode(node, context);
  if (context.opset < 11) {
    const scales = Array.from(node.constant(1, "the list of scales").data);
    return { axes: scaledAxes(x, scales), ...oldRules, interpolation };
  }
  const coordinates = node.string("coordinate_transformation_mode", "half_pixel");
  const nearestMode = node.string("nearest_mode", "round_prefer_floor");
  const listed = readAxes(node, x.length);
  const roi = node.optionalConstant(1, "the region of interest")?.data ?? new Float64Array();
  const scales = node.optionalConstant(2, "the list of scales")?.data ?? new Float64Array();
  const sizes = node.optionalIntegers(3, "the list of sizes") ?? [];
  const extents = listed.map((axis) => x[axis]);
  if ((scales.length > 0 ? scales : sizes).length !== listed.length) {
    fail("N2F_OP_ATTRIBUTE", `scales [${scales}] and sizes [${sizes}] do not fit [${x}]`);
  }
  const each =
    scales.length > 0
      ? extents.map((extent, i) => ({ scale: scales[i], size: Math.floor(extent * scales[i]) }))
      : scalesForSizes(node, extents, sizes);
  const axes = x.map((extent, axis): AxisResize => {
    const i = listed.indexOf(axis);
    if (i < 0) return { extent, result: extent, scale: 1, roi: [0, 1] };
    const region = roi.length > 0 ? ([roi[i], roi[i + listed.length]] as const) : ([0, 1] as const);
    return { extent, result: each[i].size, scale: each[i].scale, roi: region };
  });
  const isCrop = coordinates === "tf_crop_and_resize";
  const outside = isCrop ? node.float("extrapolation_value", 0) : undefined;
  return { axes, coordinates, nearestMode, interpolation, outside };
}

/** Before opset 11 positions count from the corner; the nearest is the one before, or behind in a smaller result. */
const oldRules = { coordinates: "asymmetric", nearestMode: "before", outside: undefined };

/** What each result along an axis takes of each element, `[result, extent]`, and which lie outside. */
function axisMatrix(
  axis: AxisResize,
  resize: Resize,
): { rows: Float64Array[]; isOutside: boolean[] } {
  const { coordinates, nearestMode, interpolation, outside } = resize;
  const positions = originalPositions(coordinates, axis);
  const isOutside = positions.map(
    (at) => outside !== undefined && (at < 0 || at > axis.extent - 1),
  );
  const rows = positions.map((at, i) => {
    if (isOutside[i]) return new Float64Array(axis.extent);
    if (interpolation !== undefined) return interpolationWeights(interpolation, at, axis);
    const row = new Float64Array(axis.extent);
    const mode = nearestMode === "before" ? (axis.scale < 1 ? "ceil" : "floor") : nearestMode;
    row[nearest(mode, at, axis.extent)] = 1;
    return row;
  });
  return { rows, isOutside };
}

/** Resizes one axis: elements that are taken as they are need no product. */
function resizeAxis(context: RuleContext, x: Operand, axis: number, rows: Float64Array[]): Operand {
  const indices = rows.map((row) => row.indexOf(1));
  const isPlain = rows.every(
    (row, i) => indices[i] >= 0 && row.every((w, k) => w === 0 || k === indices[i]),
  );
  if (isPlain) {
    const isSame = indices.length === x.shape[axis] && indices.every((from, i) => from === i);
    return isSame ? x : context.apply("gather", [x], { axis, indices });
  }
  const extent = x.shape[axis];
  const [outer, inner] = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis + 1))];
  const data = Float64Array.from(rows.flatMap((row) => Array.from(row)));
  const matrix = context.constant(makeTensor([rows.length, extent], data), "weights");
  const flat = context.apply("reshape", [x], { shape: [outer, extent, inner] });
  const product = context.apply("matmul", [matrix, flat]);
  if (product.kind === "computed") context.countMacs(sizeOf(product.shape) * extent);
  return context.apply("reshape", [product], { shape: x.shape.with(axis, rows.length) });
}

/** Adds the number that stands for what lies outside, at the places of the result that do along any axis. */
function fillOutside(context: RuleContext, y: Operand, outside: number, isOutside: boolean[][]) {
  if (outside === 0 || !isOutside.flat().includes(true)) return y;
  let filled = [false];
  for (const along of isOutside) filled = filled.flatMap((out) => along.map((own) => out || own));
  const data = Float64Array.from(filled, (out) => (out ? outside : 0));
  return context.apply("add", [y, context.constant(makeTensor(y.shape, data), "outside")]);
}

/** What is noted for each row of a matrix besides its entries, counted in entries. */
const entriesOfRow = 15;

function applyResize(context: RuleContext, x: Operand, resize: Resize): Operand {
  for (const { extent, result } of resize.axes)
    context.checkListed(result * (extent + entriesOfRow));
  const matrices = resize.axes.map((axis) => axisMatrix(axis, resize));
  const rank = x.shape.length;
  const isPlane = matrices
    .slice(0, 2)
    .every(
      ({ rows }, axis) => rows.length === x.shape[axis] && rows.every((row, i) => row[i] === 1),
    );
  // Products go along axes before the last; channels stand there.
  const isSpatial = rank > 2 && rank < 6 && isPlane && resize.interpolation !== undefined;
  if (isSpatial) {
    const last = channelsLast(context, x);
    const resized = matrices
      .slice(2)
      .reduce((y, { rows }, axis) => resizeAxis(context, y, axis + 1, rows), last);
    return filled(channelsFirst(context, resized));
  }
  return filled(matrices.reduce((y, { rows }, axis) => resizeAxis(context, y, axis, rows), x));

  function filled(y: Operand): Operand {
    const all = matrices.map(({ isOutside }) => isOutside);
    const made = y === x ? context.apply("identity", [x]) : y;
    return fillOutside(context, made, resize.outside ?? 0, all);
  }
}

const resize = defineRule({
  op: "Resize",
  import: (node, context) => {
    const x = node.input(0);
    return applyResize(context, x, readResize(node, context, x.shape));
  },
});

const upsample = defineRule({
  op: "Upsample",
  import: (node, context) => {
    const interpolation = readMode(node, context);
    const scales =
      context.opset < 9 ? node.floats("scales") : Array.from(node.constant(1, "the scales").data);
    const x = node.input(0);
    const axes = scaledAxes(x.shape, scales);
    return applyResize(context, x, { axes, ...oldRules, interpolation });
  },
});

export const resizeRules: readonly Rule[] = [resize, upsample];
