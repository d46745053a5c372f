import { assert } from "../../../base/index.ts";
import { reorderMemory } from "../../../hwlib/index.ts";
import { getValue, type Kernel, type OpValue, quantOf } from "../../../ir/index.ts";
import { sizeOf } from "../../../tensor/index.ts";
import { type Framing, framingOf } from "../framing.ts";
import {
  beatsOf,
  dividingLanes,
  elementsOf,
  greatestCommonDivisor,
  type Layout,
  lanesForRate,
} from "../layout.ts";
import type { Stream } from "../network-builder.ts";
import type { RegionUnit } from "../units.ts";
import { type Upsampling, upsamplingOf } from "../upsampling.ts";
import { wideWindowBits } from "../window-layer.ts";
import { type Context, lutRamBits, refuse } from "./context.ts";
import { lanePipeline, rewire } from "./lane-pipeline.ts";
import { plainValue, takeValue } from "./take.ts";

/** Another order of elements. */
export function lowerGather(
  context: Context,
  value: OpValue,
  kernel: Extract<Kernel, { kind: "gather" }>,
): Stream {
  const size = sizeOf(value.shape);
  const vector = value.shape.at(-1) ?? 1;
  const { interval } = context.options;
  const index = kernel.index ?? Int32Array.from({ length: size }, (_, i) => i);
  const from = getValue(context.graph, value.args[0]).shape;
  if (index.some((one) => one < 0)) {
    const framing = framingOf(kernel, from, value.shape);
    const framed = framing !== undefined && frame(context, value, framing, kernel.fill ?? 0n);
    if (framed) return framed;
    if (fitsOneBeat(context, value)) return gatherInOneBeat(context, value, kernel);
    return refuse(value, "what it fills in is no frame around pictures");
  }
  const upsampling = upsamplingOf(kernel, from, value.shape);
  if (upsampling !== undefined) return upsample(context, value, upsampling);
  const isConst = value.args.map((id) => getValue(context.graph, id).kind === "const");
  if (isConst.some((is) => is)) {
    if (fitsOneBeat(context, value)) return gatherInOneBeat(context, value, kernel);
    return refuse(value, "constants are joined to a stream");
  }
  const lengths = value.args.map((id) => sizeOf(getValue(context.graph, id).shape));
  const first = lengths.map((_, at) => lengths.slice(0, at).reduce((a, b) => a + b, 0));
  const flat =
    kernel.source === undefined
      ? index
      : index.map((from, i) => from + first[(kernel.source as Int32Array)[i]]);
  // The longest runs of neighbours that stay together.
  let run = lengths.reduce((a, b) => greatestCommonDivisor(a, b), size);
  for (let i = 1; i < size; i++)
    if (flat[i] !== flat[i - 1] + 1) run = greatestCommonDivisor(run, i);
  for (const from of flat.filter((_, i) => i % run === 0)) run = greatestCommonDivisor(run, from);
  const total = lengths.reduce((a, b) => a + b, 0);
  const wanted = lanesForRate(
    1,
    run,
    Math.max(1, Math.floor((interval * run) / Math.max(size, total))),
  );
  const lanes = dividingLanes(run, wanted);
  if (Math.max(size, total) / lanes > interval && fitsOneBeat(context, value))
    return gatherInOneBeat(context, value, kernel);
  const own = value.args.map((id) => plainValue(context, id));
  const formats = value.args.map((id) => quantOf(getValue(context.graph, id)).format);
  const isMixed =
    own.some(({ widthBits }) => widthBits !== own[0].widthBits) ||
    formats.some(({ signed }) => signed !== formats[0].signed);
  const { width } = quantOf(value).format;
  const streams = value.args.map((id, at) => {
    const stream = isMixed ? rewire(context, id, own[at], width) : own[at];
    return context.net.convert(stream, lengths[at], lanes);
  });
  const turns = turnsOf(value, kernel, lengths, lanes);
  if (turns !== undefined) {
    const [a, b] = streams;
    const layout = { vectors: size / vector, vector, lanes };
    const plain = { vectors: 1, vector: size, lanes };
    return concatStreams(context, a, b, turns[0], turns[1], vector % lanes === 0 ? layout : plain);
  }
  const joined = joinStreams(context, streams);
  const inBeats = total / lanes;
  const order = Array.from({ length: size / lanes }, (_, beat) => flat[beat * lanes] / lanes);
  const title = `another order of ${inBeats} beats`;
  const name = context.net.nextName("reorder");
  const params = {
    WIDTH: lanes * joined.widthBits,
    IN_BEATS: inBeats,
    OUT_BEATS: order.length,
    STYLE: 2 * inBeats * lanes * joined.widthBits > lutRamBits ? 1 : 0,
    ORDER: `${name}_order.hex`,
  };
  context.net.remember(() => [[params.ORDER, reorderMemory(inBeats, order)]]);
  const node = context.net.module("n2f_reorder", "reorder", title, params);
  context.net.connect(joined, { node, port: 0 });
  const layout =
    vector % lanes === 0
      ? { vectors: size / vector, vector, lanes }
      : { vectors: 1, vector: size, lanes };
  return context.net.output(node, layout, joined.widthBits);
}

/** Whether a gather's values are so small that an order of their elements is wires, and not a memory. */
function fitsOneBeat({ graph }: Context, { id, args }: OpValue): boolean {
  const bits = [id, ...args].map((one) => {
    const value = getValue(graph, one);
    return sizeOf(value.shape) * quantOf(value).format.width;
  });
  return Math.max(...bits) <= wideWindowBits && new Set(args).size === args.length;
}

function gatherInOneBeat(context: Context, value: OpValue, kernel: Kernel): Stream {
  const inputs = value.args.filter((id) => getValue(context.graph, id).kind !== "const");
  const unit: RegionUnit = {
    kind: "region",
    members: [{ value, kernel }],
    inputs,
    outputs: [value.id],
  };
  const sources = new Map(inputs.map((id) => [id, context.source(id)]));
  return lanePipeline(context, unit, sources, { isOneBeat: true })[0];
}

/** Pixels and rows that come several times: a row is kept, or a pixel, and not the whole. */
function upsample(context: Context, value: OpValue, of: Upsampling): Stream {
  const { run, pixels, rows, factorX, factorY } = of;
  const size = sizeOf(value.shape);
  const channels = value.shape.at(-1) ?? 1;
  const vector = run % channels === 0 ? channels : run;
  const lanes = lanesForRate(size / vector, vector, context.options.interval);
  const input = takeValue(context, value.args[0], vector, lanes);
  const WIDTH = lanes * input.widthBits;
  const B = run / lanes;
  const kept = (factorY > 1 ? pixels * B : B) * WIDTH;
  const params = {
    ...{ WIDTH, W: pixels, B, FY: factorY, FX: factorX },
    STYLE: kept > lutRamBits ? 1 : 0,
  };
  const title = `${rows} rows ${factorY} times, ${pixels} pixels ${factorX} times`;
  const node = context.net.module("n2f_upsample", "upsample", title, params);
  context.net.connect(input, { node, port: 0 });
  return context.net.output(node, { vectors: size / vector, vector, lanes }, input.widthBits);
}

/** A frame around pictures, element by element as they come; nothing where that is too slow and wires would do. */
function frame(
  context: Context,
  value: OpValue,
  { run, pictures, rows, pixels, above, below, left, right }: Framing,
  fill: bigint,
): Stream | undefined {
  const size = sizeOf(value.shape);
  const channels = value.shape.at(-1) ?? 1;
  const vector = run % channels === 0 ? channels : run;
  const { interval } = context.options;
  const lanes = lanesForRate(size / vector, vector, interval);
  if (size / lanes > interval && fitsOneBeat(context, value)) return undefined;
  if (!Number.isSafeInteger(Number(fill))) return undefined;
  const { width } = quantOf(value).format;
  const [id] = value.args;
  const plain = plainValue(context, id);
  const input = plain.widthBits === width ? plain : rewire(context, id, plain, width);
  const params = {
    ...{ P: lanes, X_W: width, H: rows, W: pixels, B: run / lanes, VALUE: Number(fill) },
    ...{ PT: above, PB: below, PL: left, PR: right },
  };
  const title = `a frame around ${pictures > 1 ? `${pictures} pictures` : "a picture"} of ${rows} by ${pixels}`;
  context.net.from(value.origin);
  const node = context.net.module("n2f_pad", "pad", title, params);
  context.net.connect(context.net.convert(input, vector, lanes), { node, port: 0 });
  return context.net.output(node, { vectors: size / vector, vector, lanes }, width);
}

/** Beats of each of two streams that follow one another, over and over; nothing where it is no such joining. */
function turnsOf(
  value: OpValue,
  { source, index }: Extract<Kernel, { kind: "gather" }>,
  lengths: readonly number[],
  lanes: number,
): readonly [number, number] | undefined {
  if (source === undefined || lengths.length !== 2) return undefined;
  const size = sizeOf(value.shape);
  let a = 0;
  while (a < size && source[a] === 0) a++;
  let b = a;
  while (b < size && source[b] === 1) b++;
  const period = b;
  if (a === 0 || a === b || size % period !== 0 || a % lanes !== 0 || (b - a) % lanes !== 0)
    return undefined;
  for (let i = 0; i < size; i++) {
    const at = i % period;
    const turn = Math.floor(i / period);
    const from = at < a ? turn * a + at : turn * (b - a) + at - a;
    if (source[i] !== (at < a ? 0 : 1) || (index?.[i] ?? i) !== from) return undefined;
  }
  return [a / lanes, (b - a) / lanes];
}

/** All of one stream, then all of the next. */
export function joinStreams(context: Context, streams: readonly Stream[]): Stream {
  if (streams.length === 1) return streams[0];
  const width = Math.max(...streams.map(({ widthBits }) => widthBits));
  const lanes = streams
    .map(({ layout }) => layout.lanes)
    .reduce((a, b) => greatestCommonDivisor(a, b));
  return streams
    .map((stream) => context.net.convert(stream, elementsOf(stream.layout), lanes))
    .reduce((a, b) => {
      assert(a.widthBits === width && b.widthBits === width, "joined streams have one width");
      return concatStreams(context, a, b, beatsOf(a.layout), beatsOf(b.layout), {
        vectors: 1,
        vector: elementsOf(a.layout) + elementsOf(b.layout),
        lanes,
      });
    });
}

function concatStreams(
  context: Context,
  a: Stream,
  b: Stream,
  aBeats: number,
  bBeats: number,
  layout: Layout,
): Stream {
  const params = { WIDTH: layout.lanes * a.widthBits, A_BEATS: aBeats, B_BEATS: bBeats };
  const node = context.net.module("n2f_concat", "concat", "one stream, then the other", params, {
    inputs: 2,
    outputs: 1,
  });
  context.net.connect(a, { node, port: 0 });
  context.net.connect(b, { node, port: 1 });
  return context.net.output(node, layout, a.widthBits);
}
