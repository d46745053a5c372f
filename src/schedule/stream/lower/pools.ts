import { reduceCode } from "../../../hwlib/index.ts";
import { getValue, type Kernel, type OpValue, quantOf } from "../../../ir/index.ts";
import { lanesForRate } from "../layout.ts";
import type { Stream } from "../network-builder.ts";
import { windowGeometry } from "../window-layer.ts";
import { type Context, refuse, wideWindowBits } from "./context.ts";
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
  if (places === 1 && taps === window.H * window.W) {
    return lowerReduce(context, value, {
      ...{ kind: "reduce" as const, fn: isMax ? ("max" as const) : ("sum" as const) },
      ...{ outer: 1, length: taps, inner: C },
    });
  }
  const padding = isMax ? Number(ranges.hull()[0]) : 0;
  const isWhole = taps * C * format.width <= wideWindowBits;
  const lanes = isWhole
    ? lanesForRate(places, C, interval)
    : lanesForRate(places * taps, C, interval);
  const input = windowsOf(context, window, x, padding, { lanes, byChannel: true, isWhole });
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
      ROWS: 1,
      PARALLEL: input.layout.lanes === taps * C,
      OP: code,
      X_W: input.widthBits,
      X_SIGNED: format.signed,
      Y_W: bits,
    },
  );
  context.net.connect(input, { node, port: 0 });
  return context.net.output(node, { vectors: places, vector: C, lanes }, bits);
}

export function lowerReduce(
  context: Context,
  value: OpValue,
  kernel: Extract<Kernel, { kind: "reduce" }>,
): Stream {
  const { outer, length, inner, fn, last, windows } = kernel;
  if (windows !== undefined) return refuse(value);
  const [x] = value.args;
  const { format } = quantOf(getValue(context.graph, x));
  const to = quantOf(value).format;
  const { interval } = context.options;
  if (inner === 1) {
    const isPlace = fn === "argmax";
    if (fn === "argmin" || (isPlace && last)) return refuse(value);
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
  const input = takeValue(context, x, inner, lanes);
  const bits = Math.max(input.widthBits, to.width + (format.signed && !to.signed ? 1 : 0));
  const node = context.net.module("n2f_reduce", "reduce", `${fn} over ${length} pixels`, {
    PIXELS: length,
    BEATS: inner / lanes,
    P: lanes,
    OP: reduceCode[fn],
    X_W: input.widthBits,
    X_SIGNED: format.signed,
    Y_W: bits,
  });
  context.net.connect(input, { node, port: 0 });
  return context.net.output(node, { vectors: outer, vector: inner, lanes }, bits);
}
