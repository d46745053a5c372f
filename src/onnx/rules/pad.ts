import { fail } from "../../base/index.ts";
import { normalizeAxis } from "../../ops/index.ts";
import { type Shape, shapeText } from "../../tensor/index.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

interface Pads {
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/** Pads of every axis: attributes before opset 11, constant inputs from then on, of some axes since 18. */
function readPads(node: NodeView, context: RuleContext, rank: number): Pads {
  const list = context.opset < 11 ? node.ints("pads") : node.integers(1, "the list of pads");
  const axes =
    context.opset < 18
      ? undefined
      : node.optionalIntegers(3, "the list of axes")?.map((axis) => normalizeAxis(axis, rank));
  const listed = axes ?? Array.from({ length: rank }, (_, axis) => axis);
  if (list.length !== 2 * listed.length || new Set(listed).size < listed.length) {
    fail("N2F_OP_ATTRIBUTE", `pads [${list}] do not fit the axes [${listed}]`);
  }
  const of = (first: number) =>
    Array.from({ length: rank }, (_, axis) => {
      const at = listed.indexOf(axis);
      return at < 0 ? 0 : list[first + at];
    });
  return { begins: of(0), ends: of(listed.length) };
}

/** Negative pads take elements away. */
function crop(context: RuleContext, x: Operand, { begins, ends }: Pads): Operand {
  if (![...begins, ...ends].some((n) => n < 0)) return x;
  const starts = begins.map((n) => Math.max(0, -n));
  const counts = x.shape.map((extent, axis) => extent - starts[axis] - Math.max(0, -ends[axis]));
  return context.apply("slice", [x], { starts, steps: starts.map(() => 1), counts });
}

/** Positions that the elements of a padded axis are taken from. */
function positions(mode: string, extent: number, begin: number, end: number): number[] {
  const period = Math.max(1, 2 * extent - 2);
  const wrap = (at: number, around: number) => ((at % around) + around) % around;
  return Array.from({ length: begin + extent + end }, (_, i) => {
    const at = i - begin;
    if (mode === "edge") return Math.min(Math.max(at, 0), extent - 1);
    if (mode === "wrap") return wrap(at, extent);
    const folded = wrap(at, period);
    return folded < extent ? folded : period - folded;
  });
}

function padWith(context: RuleContext, x: Operand, mode: string, { begins, ends }: Pads): Operand {
  return x.shape.reduce<Operand>((y, extent, axis) => {
    const [begin, end] = [Math.max(0, begins[axis]), Math.max(0, ends[axis])];
    if (begin + end === 0) return y;
    context.checkListed(begin + extent + end);
    const indices = positions(mode, extent, begin, end);
    return context.apply("gather", [y], { axis, indices });
  }, x);
}

/** The number that fills the padding. */
function readValue(node: NodeView, context: RuleContext): number {
  if (context.opset < 11) return node.float("value", 0);
  return node.optionalConstant(2, "the padding's value")?.data[0] ?? 0;
}

const modes = ["constant", "edge", "reflect", "wrap"];

const pad = defineRule({
  op: "Pad",
  import: (node, context) => {
    const mode = node.string("mode", "constant");
    if (!modes.includes(mode)) fail("N2F_OP_ATTRIBUTE", `mode is ${mode}, not one of ${modes}`);
    const x = node.input(0);
    const pads = readPads(node, context, x.shape.length);
    checkPads(x.shape, pads);
    const cropped = crop(context, x, pads);
    if (mode !== "constant") return padWith(context, cropped, mode, pads);
    const value = readValue(node, context);
    const both = [...pads.begins, ...pads.ends].map((n) => Math.max(0, n));
    if (both.every((n) => n === 0)) return context.apply("identity", [cropped]);
    return context.apply("pad", [cropped], { pads: both, value });
  },
});

function checkPads(x: Shape, { begins, ends }: Pads): void {
  const isEmpty = x.some((extent, axis) => {
    const left = extent + Math.min(0, begins[axis]) + Math.min(0, ends[axis]);
    return !(left > 0);
  });
  if (isEmpty) {
    fail("N2F_OP_ATTRIBUTE", `pads [${[...begins, ...ends]}] leave nothing of ${shapeText(x)}`);
  }
}

export const padRules: readonly Rule[] = [pad];
