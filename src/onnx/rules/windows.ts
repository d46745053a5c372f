import { fail } from "../../base/index.ts";
import type { Attrs } from "../../ir/index.ts";
import { type Shape, shapeText } from "../../tensor/index.ts";
import type { NodeView } from "./node-view.ts";
import { type Operand, unsupported } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

/** Windows over the spatial axes of a value `[N, C, ...spatial]`, one number for each axis. */
export interface Windows extends Attrs {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Elements at the begin of each axis, then at the end of each. */
  readonly pads: readonly number[];
}

/** The spatial extents of `[N, C, ...spatial]`. @throws N2F_OP_UNSUPPORTED for none, or more than three */
export function spatialOf({ opType }: NodeView, { shape }: Operand): Shape {
  if (shape.length < 3) {
    fail("N2F_OP_ATTRIBUTE", `${opType} takes [N, C, ...], not ${shapeText(shape)}`);
  }
  if (shape.length > 5) {
    unsupported(
      `${shape.length - 2} spatial axes; 1 to 3 are possible`,
      "Join axes by a Reshape before it, where the windows have an extent of 1.",
    );
  }
  return shape.slice(2);
}

export interface WindowAttributes {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** As they are written; `auto_pad` may override them. */
  readonly pads: readonly number[];
  readonly autoPad: string;
}

const autoPads = ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"];

/** The attributes that all operators with windows have, before anything is known of the input. */
export function readWindowAttributes(node: NodeView, rank: number): WindowAttributes {
  const ones = new Array<number>(rank).fill(1);
  const autoPad = node.string("auto_pad", "NOTSET");
  if (!autoPads.includes(autoPad)) {
    fail("N2F_OP_ATTRIBUTE", `auto_pad is ${autoPad}, not one of ${autoPads.join(", ")}`);
  }
  const strides = listOf(node, "strides", ones);
  const dilations = listOf(node, "dilations", ones);
  const pads = listOf(node, "pads", [...ones, ...ones].fill(0), 0);
  return { strides, dilations, pads, autoPad };
}

/** A list of integers, as long as its default; none below `least`. */
export function listOf(
  node: NodeView,
  name: string,
  otherwise: readonly number[],
  least = 1,
): readonly number[] {
  const list = node.optionalInts(name) ?? otherwise;
  if (list.length !== otherwise.length || list.some((n) => n < least)) {
    fail(
      "N2F_OP_ATTRIBUTE",
      `attribute ${name} is [${list}]; ${otherwise.length} integers from ${least} up are wanted`,
    );
  }
  return list;
}

/** The windows of a convolution or a pooling, with the pads that `auto_pad` asks for. */
export function readWindows(node: NodeView, spatial: Shape, kernel: readonly number[]): Windows {
  const { strides, dilations, pads, autoPad } = readWindowAttributes(node, spatial.length);
  if (kernel.length !== spatial.length || kernel.some((n) => n < 1)) {
    fail("N2F_OP_ATTRIBUTE", `a kernel of [${kernel}] does not fit [${spatial}]`);
  }
  const total = spatial.map((extent, axis) => {
    const places = Math.ceil(extent / strides[axis]);
    const reach = (places - 1) * strides[axis] + dilations[axis] * (kernel[axis] - 1) + 1;
    return Math.max(0, reach - extent);
  });
  return { kernel, strides, dilations, pads: resolvePads(autoPad, pads, total) };
}

/** The pads of each side, where `total` is what the same extent would take. */
export function resolvePads(
  autoPad: string,
  pads: readonly number[],
  total: readonly number[],
): readonly number[] {
  const less = total.map((n) => Math.floor(n / 2));
  const more = total.map((n, axis) => n - less[axis]);
  if (autoPad === "SAME_UPPER") return [...less, ...more];
  if (autoPad === "SAME_LOWER") return [...more, ...less];
  return autoPad === "VALID" ? pads.map(() => 0) : pads;
}

/** `[N, C, ...spatial]` with the channels last, as everything inside has them. */
export function channelsLast(context: RuleContext, x: Operand): Operand {
  const perm = x.shape.map((_, axis) => (axis === 0 ? 0 : axis + 1));
  return context.apply("transpose", [x], { perm: perm.with(-1, 1) });
}

/** `[N, ...spatial, C]` with the channels second again. */
export function channelsFirst(context: RuleContext, x: Operand): Operand {
  const last = x.shape.length - 1;
  const perm = x.shape.map((_, axis) => (axis < 2 ? axis * last : axis - 1));
  return context.apply("transpose", [x], { perm });
}
