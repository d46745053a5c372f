import { assert, fail } from "../base/index.ts";
import { type StepRounding, stepRoundings } from "../fixed/index.ts";
import { type ArgType, type Attrs, definePrimitive, type QuantArg, Ranges } from "../ir/index.ts";
import { shapeText, sizeOf } from "../tensor/index.ts";
import { type CodeInterval, stepKernel } from "./family/step-kernel.ts";
import { type StepRule, stepFunction, stepReal } from "./family/step-rule.ts";

/** Each list has one number, or one for each position along the axis. */
export interface QuantizeAttrs extends Attrs {
  readonly axis: number;
  readonly mul: readonly number[];
  readonly add: readonly number[];
  readonly div: readonly number[];
  readonly zero_point: readonly number[];
  readonly lo: number;
  readonly hi: number;
  readonly rounding: string;
  readonly arithmetic: string;
}

const lists = ["mul", "add", "div", "zero_point"] as const;

/** The rules of the channels: one where all are the same. */
function rulesOf(attrs: QuantizeAttrs): StepRule[] {
  const at = (key: (typeof lists)[number], c: number) =>
    attrs[key][attrs[key].length === 1 ? 0 : c];
  return Array.from({ length: channelCount(attrs) }, (_, c) => ({
    mul: at("mul", c),
    add: at("add", c),
    div: at("div", c),
    zeroPoint: at("zero_point", c),
    lo: attrs.lo,
    hi: attrs.hi,
    rounding: attrs.rounding as StepRounding,
    arithmetic: attrs.arithmetic as StepRule["arithmetic"],
  }));
}

function channelCount(attrs: QuantizeAttrs): number {
  return Math.max(...lists.map((key) => attrs[key].length));
}

function placeOf({ shape }: ArgType, attrs: QuantizeAttrs) {
  const channels = channelCount(attrs);
  return { channels, inner: channels === 1 ? 1 : sizeOf(shape.slice(attrs.axis + 1)) };
}

function checkAttrs({ shape }: ArgType, attrs: QuantizeAttrs): void {
  const channels = channelCount(attrs);
  const wrong = (what: string): never => fail("N2F_OP_ATTRIBUTE", what);
  for (const key of lists) {
    const { length } = attrs[key];
    if (length !== 1 && length !== channels) wrong(`${length} numbers ${key} for ${channels}`);
    const bad = attrs[key].find((x) => !Number.isFinite(x));
    if (bad !== undefined) wrong(`${key} has ${bad} in it`);
  }
  if (channels > 1 && shape[attrs.axis] !== channels) {
    wrong(`${channels} scales do not fit axis ${attrs.axis} of ${shapeText(shape)}`);
  }
  const divisor = attrs.div.find((x) => x <= 0);
  if (divisor !== undefined) wrong(`the scale ${divisor} is not above zero`);
  const whole = [...attrs.zero_point, attrs.lo, attrs.hi];
  const broken = whole.find((x) => !Number.isSafeInteger(x));
  if (broken !== undefined) wrong(`${broken} is no integer`);
  if (attrs.lo > attrs.hi) wrong(`no integer lies from ${attrs.lo} to ${attrs.hi}`);
  assert(stepRoundings.includes(attrs.rounding as StepRounding), `rounding ${attrs.rounding}`);
  assert(["exact", "float32"].includes(attrs.arithmetic), `arithmetic ${attrs.arithmetic}`);
}

/** What can come into each channel. */
function channelIntervals(x: QuantArg, attrs: QuantizeAttrs): CodeInterval[] {
  const { channels, inner } = placeOf(x, attrs);
  const { ranges } = x.quant;
  if (ranges.isUniform || channels === 1) {
    const hull = ranges.hull();
    return Array.from({ length: channels }, () => hull);
  }
  const lo = new Array<bigint | undefined>(channels).fill(undefined);
  const hi = new Array<bigint | undefined>(channels).fill(undefined);
  const size = sizeOf(x.shape);
  for (let i = 0; i < size; i++) {
    const c = Math.floor(i / inner) % channels;
    const [low, high] = [ranges.lo(i), ranges.hi(i)];
    const [least, most] = [lo[c], hi[c]];
    if (least === undefined || low < least) lo[c] = low;
    if (most === undefined || high > most) hi[c] = high;
  }
  return lo.map((low, c) => [low ?? 0n, hi[c] ?? 0n]);
}

/**
 * The integers of a quantized model: clamp(round((x * mul + add) / div) + zero_point, lo, hi), with one set of
 * numbers or one for each position along an axis. The numbers are doubles, taken exactly, and so is the result:
 * whatever the scales are, hardware and emulator give the very integer that these real numbers round to.
 *
 * @see https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
 */
export const quantize = definePrimitive<QuantizeAttrs>({
  name: "quantize",
  summary: "The integer to which a scaled number rounds, within bounds.",
  words: ["requantize", "scale", "threshold"],
  type: ([x], attrs) => {
    checkAttrs(x, attrs);
    return { shape: x.shape, dtype: "int" };
  },
  float: ([x], attrs) => {
    const { channels, inner } = placeOf(x, attrs);
    const rules = rulesOf(attrs);
    const { length } = x.data;
    const data = new Float64Array(length);
    const run = channels === 1 ? length : inner;
    for (let from = 0, c = 0; from < length; from += run, c = (c + 1) % channels) {
      const rule = rules[c];
      for (let i = from; i < from + run; i++) data[i] = stepReal(x.data[i], rule);
    }
    return { shape: x.shape, dtype: "int", data };
  },
  swapTranspose: (perm, attrs) => ({
    perm,
    attrs: channelCount(attrs) === 1 ? attrs : { ...attrs, axis: perm[attrs.axis] },
  }),
  narrow: () => [false],
  quant: ([x], attrs) => {
    const { channels, inner } = placeOf(x, attrs);
    const { ranges, format } = x.quant;
    const functions = rulesOf(attrs).map((rule) => stepFunction(rule, format.frac));
    const known = functions.map(() => new Map<bigint, bigint>());
    const at = (c: number, code: bigint): bigint => {
      const found = known[c].get(code) ?? functions[c](code);
      known[c].set(code, found);
      return found;
    };
    const size = ranges.isUniform && channels === 1 ? 1 : sizeOf(x.shape);
    const made = Ranges.each(size, (i) => {
      const c = Math.floor(i / inner) % channels;
      const [a, b] = [at(c, ranges.lo(i)), at(c, ranges.hi(i))];
      return a <= b ? [a, b] : [b, a];
    });
    return { format: made.format(0), ranges: made };
  },
  fixed: ([x], [arg], attrs) => {
    const { channels, inner } = placeOf(arg, attrs);
    const functions = rulesOf(attrs).map((rule) => stepFunction(rule, arg.quant.format.frac));
    return x.map((code, i) => functions[Math.floor(i / inner) % channels](code));
  },
  kernel: ([x], attrs) => {
    const { frac } = x.quant.format;
    return stepKernel(rulesOf(attrs), channelIntervals(x, attrs), frac, placeOf(x, attrs));
  },
});
