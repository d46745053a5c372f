import { reduceCode } from "../../../hwlib/index.ts";
import { getValue, type Kernel, type OpValue, quantOf } from "../../../ir/index.ts";
import { lanesForRate } from "../layout.ts";
import type { Stream } from "../network-builder.ts";
import { wideWindowBits, windowColumns, windowGeometry } from "../window-layer.ts";
import { type Context, refuse } from "./context.ts";
import { takeValue } from "./take.ts";
import { windowsOf } from "./windows.ts";

export function lowerPool(context: Context, value: OpValue, code: number): Stream {
  const [x] = value.args;
  const source = getValue(context.graph, x);
  const { interval } = context.options;
  const window = windowGeometry(value, source.shape);
  const { places, taps, C } = window;
  const { format, ranges } = quantOf(source);
  const isMax = code === reduceCode.max;
  const { PT, PB, PL, PR } = window;
  if (places === 1 && taps === window.H * window.W && PT + PB + PL + PR === 0) {
    return lowerReduce(context, value, {
      ...{ kind: "reduce" as const, fn: isMax ? ("max" as const) : ("sum" as const) },
      ...{ outer: 1, length: taps, inner: C },
    });
  }
  const padding = isMax ? leastCode(ranges.hull()[0], format.width) : 0;
  const isWhole = taps * C * format.width <= wideWindowBits;
  const lanes = isWhole
    ? lanesForRate(places, C, interval)
    : lanesForRate(places * taps, C, interval);
  // One window in a cycle may be too slow: several at once, each with all of its channels.
  const counts = isWhole ? windowColumns(window, format.width).map(({ windows }) => windows) : [];
  const rows =
    places <= interval
      ? 1
      : (counts.find((count) => places / count <= interval) ?? counts.at(-1) ?? 1);
  const input = windowsOf(context, window, x, padding, { lanes, byChannel: true, isWhole, rows });
  const to = quantOf(value).format;
  const bits = Math.max(input.widthBits, to.width + (format.signed && !to.signed ? 1 : 0));
  const node = context.net.module(
    "n2f_pool",
    isMax ? "maxpool" : "sumpool",
    `${isMax ? "greatest" : "sum"} of ${taps}, ${lanes} of ${C} channels at a time`,
    {
      C,
      K: taps,
      PE: lanes,
      ROWS: rows,
      PARALLEL: input.layout.lanes === rows * taps * C,
      OP: code,
      X_W: input.widthBits,
      X_SIGNED: format.signed,
      Y_W: bits,
    },
  );
  context.net.connect(input, { node, port: 0 });
  const layout = { vectors: places / rows, vector: rows * C, lanes: rows * lanes };
  return context.net.output(node, layout, bits);
}

/** A code that is no greater than any, and exact. */
function leastCode(least: bigint, widthBits: number): number {
  const code = Number(least);
  return Number.isSafeInteger(code) ? code : -(2 ** (widthBits - 1));
}

export function lowerReduce(
  context: Context,
  value: OpValue,
  kernel: Extract<Kernel, { kind: "reduce" }>,
): Stream {
  const { outer, length, inner, fn, last: isLast, windows } = kernel;
  if (windows !== undefined) return refuse(value);
  const [x] = value.args;
  const { format } = quantOf(getValue(context.graph, x));
  const to = quantOf(value).format;
  const { interval } = context.options;
  if (inner === 1) {
    const isPlace = fn === "argmax";
    if (fn === "argmin" || (isPlace && isLast)) return refuse(value);
    const lanes = lanesForRate(outer, length, interval);
    const input = takeValue(context, x, length, lanes);
    const bits = isPlace
      ? Math.max(to.width, 1)
      : Math.max(input.widthBits, to.width + (format.signed && !to.signed ? 1 : 0));
    const params = {
      V: length,
      P: lanes,
      OP: reduceCode[fn],
      X_W: input.widthBits,
      X_SIGNED: format.signed,
      Y_W: bits,
    };
    const title = `${fn} of ${length}`;
    const node = context.net.module("n2f_reduce_lanes", "reduce", title, params);
    context.net.connect(input, { node, port: 0 });
    return context.net.output(node, { vectors: outer, vector: 1, lanes: 1 }, bits);
  }
  if (fn === "argmax" || fn === "argmin") {
    return refuse(value, "the greatest element's place is found along the last axis only");
  }
  const lanes = lanesForRate(outer * length, inner, interval);
  const pixels = outer * length <= interval ? 1 : pixelsForRate(outer, length, interval);
  const input =
    pixels === 1
      ? takeValue(context, x, inner, lanes)
      : takeValue(context, x, pixels * inner, pixels * inner);
  const bits = Math.max(input.widthBits, to.width + (format.signed && !to.signed ? 1 : 0));
  const node = context.net.module("n2f_reduce", "reduce", `${fn} over ${length} pixels`, {
    PIXELS: length / pixels,
    BEATS: inner / lanes,
    P: pixels * lanes,
    OP: reduceCode[fn],
    X_W: input.widthBits,
    X_SIGNED: format.signed,
    Y_W: bits,
  });
  context.net.connect(input, { node, port: 0 });
  if (pixels === 1) return context.net.output(node, { vectors: outer, vector: inner, lanes }, bits);
  // What came side by side is one for each place of a beat: the last step takes those together.
  const columns = { vectors: outer, vector: pixels * inner, lanes: pixels * inner };
  const title = `${fn} of the ${pixels} of a beat`;
  const last = context.net.module("n2f_pool", "reduce", title, {
    ...{ C: inner, K: pixels, PE: inner, ROWS: 1, PARALLEL: true, OP: reduceCode[fn] },
    ...{ X_W: bits, X_SIGNED: format.signed, Y_W: bits },
  });
  context.net.connect(context.net.output(node, columns, bits), { node: last, port: 0 });
  return context.net.output(last, { vectors: outer, vector: inner, lanes: inner }, bits);
}

/** The fewest pixels of a beat, a divisor of all of them, with which they pass in so many cycles. */
function pixelsForRate(outer: number, length: number, cycles: number): number {
  for (let pixels = 1; pixels < length; pixels++)
    if (length % pixels === 0 && (outer * length) / pixels <= cycles) return pixels;
  return length;
}
