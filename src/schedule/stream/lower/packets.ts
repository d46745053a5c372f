import { fail } from "../../../base/index.ts";
import { containerBytes } from "../../../fixed/index.ts";
import { getValue, inputsOf, quantOf, type ValueId } from "../../../ir/index.ts";
import { sizeOf } from "../../../tensor/index.ts";
import {
  dividingLanes,
  elementsOf,
  greatestCommonDivisor,
  isPadded,
  lanesForRate,
} from "../layout.ts";
import { outside, type Stream } from "../network-builder.ts";
import { type Context, widestBeatBits } from "./context.ts";
import { rewire } from "./lane-pipeline.ts";
import { joinStreams } from "./order.ts";
import { plainValue } from "./take.ts";

export function lowerInputs(context: Context): { beats: number; beatBytes: number } {
  const values = inputsOf(context.graph).filter(({ id }) => context.readers.has(id));
  const all = inputsOf(context.graph);
  if (all.length !== 1 || values.length !== 1) return lowerManyInputs(context);
  const [value] = values;
  const { format } = quantOf(value);
  const elements = sizeOf(value.shape);
  const containerBits = containerBytes(format) * 8;
  const containers = containersOf(context, elements, containerBits);
  const lanes = lanesOfInput(context, value.id, elements);
  context.net.from(value.origin);
  const node = context.net.module("n2f_axis_lanes_in", "input", `packets of ${value.id}`, {
    X_W: format.width,
    V: elements,
    CONTAINER_W: containerBits,
    CONTAINERS: containers,
    P: lanes,
  });
  const beats = Math.ceil(elements / containers);
  context.net.connectBits(
    { node: outside, port: 0 },
    { node, port: 0 },
    containers * containerBits,
    beats,
  );
  const layout = { vectors: 1, vector: elements, lanes };
  context.provide(value.id, context.net.output(node, layout, format.width));
  return { beats, beatBytes: (containers * containerBits) / 8 };
}

/** Several tensors in one packet: cut apart by counting. */
function lowerManyInputs(context: Context): { beats: number; beatBytes: number } {
  const values = inputsOf(context.graph);
  const unread = values.filter(({ id }) => !context.readers.has(id)).map(({ id }) => id);
  if (unread.length > 0) {
    fail("N2F_OP_UNSUPPORTED", "inputs that nothing in the network reads", {
      at: unread.join(", "),
      hint: "Remove them from the model, or use --architecture parallel.",
    });
  }
  const formats = values.map((value) => quantOf(value).format);
  const bits = formats.map((format) => containerBytes(format) * 8);
  const containerBits = Math.min(...bits);
  const isMixed = bits.some((own) => own !== containerBits);
  const provide = (at: number, stream: Stream) => {
    const { id } = values[at];
    if (!isMixed) return context.provide(id, stream);
    const whole = asContainers(context, stream, bits[at]);
    context.provide(id, rewire(context, id, whole, formats[at].width));
  };
  const sizes = values.map(({ shape }, at) => (sizeOf(shape) * bits[at]) / containerBits);
  const total = sizes.reduce((a, b) => a + b, 0);
  const width = isMixed ? containerBits : Math.max(...formats.map((format) => format.width));
  const containers = containersOf(context, total, containerBits);
  const unit = sizes.reduce((a, b) => greatestCommonDivisor(a, b));
  const lanes = dividingLanes(
    unit,
    Math.max(containers, Math.ceil(total / context.options.interval)),
  );
  const node = context.net.module("n2f_axis_lanes_in", "input", "packets of all inputs", {
    X_W: width,
    V: total,
    CONTAINER_W: containerBits,
    CONTAINERS: containers,
    P: lanes,
  });
  const beats = Math.ceil(total / containers);
  context.net.connectBits(
    { node: outside, port: 0 },
    { node, port: 0 },
    containers * containerBits,
    beats,
  );
  let rest = context.net.output(node, { vectors: 1, vector: total, lanes }, width);
  let left = total;
  values.forEach((value, i) => {
    const size = sizes[i];
    left -= size;
    const layout = { vectors: 1, vector: size, lanes };
    if (left === 0) {
      provide(i, { ...rest, layout });
      return;
    }
    context.net.from(value.origin);
    const title = `${value.id} and what follows`;
    const params = { WIDTH: lanes * width, A_BEATS: size / lanes, B_BEATS: left / lanes };
    const split = context.net.module("n2f_split", "split", title, params, {
      inputs: 1,
      outputs: 2,
    });
    context.net.connect(rest, { node: split, port: 0 });
    const part = (port: number, vector: number): Stream => ({
      from: { node: split, port },
      layout: { vectors: 1, vector, lanes },
      widthBits: width,
      fromBit: 0,
    });
    provide(i, part(0, size));
    rest = part(1, left);
  });
  return { beats, beatBytes: (containers * containerBits) / 8 };
}

/** Codes as parts of their containers, each so many bits; the codes are as wide as the containers. */
function inUnits(stream: Stream, unitBits: number): Stream {
  const { layout, widthBits } = stream;
  const parts = widthBits / unitBits;
  const { vectors, vector, lanes } = layout;
  return {
    ...stream,
    widthBits: unitBits,
    layout: { vectors, vector: vector * parts, lanes: lanes * parts },
  };
}

/** The opposite of `inUnits`. */
function asContainers(context: Context, stream: Stream, bits: number): Stream {
  const parts = bits / stream.widthBits;
  const { vector, lanes } = stream.layout;
  const wanted = lanes % parts === 0 ? lanes : parts;
  const { layout, ...fed } = context.net.convert(stream, vector, wanted);
  return {
    ...fed,
    widthBits: bits,
    layout: { vectors: 1, vector: vector / parts, lanes: wanted / parts },
  };
}

/** Containers of a beat: few, and as many as the interval needs; bytes of a beat are a power of two. */
function containersOf(context: Context, elements: number, containerBits: number): number {
  let containers = 1;
  while (
    Math.ceil(elements / containers) > context.options.interval &&
    containers * containerBits < widestBeatBits
  )
    containers *= 2;
  return containers;
}

/** Lanes in which the first reader wants an input. */
function lanesOfInput(context: Context, id: ValueId, elements: number): number {
  const { interval } = context.options;
  const value = getValue(context.graph, id);
  for (const unit of new Set(context.units.values())) {
    if (unit.kind !== "engine" || unit.value.args[0] !== id) continue;
    const { layer } = unit;
    const wanted = layer.window === undefined ? context.options.point(layer).simd : layer.window.C;
    if (elements % wanted === 0 && wanted <= 64)
      return elements / wanted <= interval ? wanted : lanesForRate(1, elements, interval);
  }
  const vector = value.shape.at(-1) ?? 1;
  const vectors = elements / vector;
  return vectors > interval
    ? lanesForRate(1, elements, interval)
    : lanesForRate(vectors, vector, interval);
}

/** One packet of all outputs, one after the other. */
export function lowerOutputs(context: Context): { beats: number; beatBytes: number } {
  const { outputs } = context.graph;
  const formats = outputs.map(({ value }) => quantOf(getValue(context.graph, value)).format);
  const bits = formats.map((format) => containerBytes(format) * 8);
  const { signed } = formats[0];
  const isMixed = formats.some(
    (format) => format.width !== formats[0].width || format.signed !== signed,
  );
  const containerBits = Math.min(...bits);
  const streams = outputs.map(({ value }, at) => {
    const stream = plainValue(context, value);
    const { layout } = stream;
    const whole = isPadded(layout)
      ? context.net.convert(stream, layout.vector, dividingLanes(layout.vector, layout.lanes))
      : stream;
    // The greatest of wide numbers may be proven to be small.
    if (!isMixed)
      return whole.widthBits <= bits[at] ? whole : rewire(context, value, whole, formats[at].width);
    return inUnits(rewire(context, value, whole, bits[at]), containerBits);
  });
  const joined = joinStreams(context, streams);
  const elements = elementsOf(joined.layout);
  const containers = containersOf(context, elements, containerBits);
  const node = context.net.module("n2f_axis_lanes_out", "output", "packets of the results", {
    X_W: joined.widthBits,
    SIGNED: signed,
    V: elements,
    P: joined.layout.lanes,
    CONTAINER_W: containerBits,
    CONTAINERS: containers,
  });
  context.net.connect(joined, { node, port: 0 });
  const beats = Math.ceil(elements / containers);
  context.net.connectBits(
    { node, port: 0 },
    { node: outside, port: 0 },
    containers * containerBits,
    beats,
  );
  return { beats, beatBytes: (containers * containerBits) / 8 };
}
