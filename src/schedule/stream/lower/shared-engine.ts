import type { OpValue } from "../../../ir/index.ts";
import type { EngineLayer } from "../engine-layer.ts";
import { beatsOf } from "../layout.ts";
import type { Stream } from "../network-builder.ts";
import type { Context, OpenLoop } from "./context.ts";
import { matrixVectorNode } from "./engines.ts";
import { takeValue } from "./take.ts";

/**
 * One engine for products that follow one another: their vectors come in turn, and their results leave in turn. What
 * goes in may need what came out before, so the engine's input is connected last.
 */
export function lowerSharedEngine(
  context: Context,
  layer: EngineLayer,
  values: readonly OpValue[],
): OpenLoop {
  const { k, xBits, twos } = layer;
  const point = context.options.point(layer);
  context.net.from(layer.origin);
  const { node, output } = matrixVectorNode(context, layer, point, xBits, false);
  const vectors = layer.vectors / values.length;
  for (const [at, stream] of inTurn(context, output, values.length, vectors).entries())
    context.provide(values[at].id, stream, twos);
  const inputs = values.map(({ args: [x] }) => x);
  return {
    inputs,
    close: () => {
      context.net.from(layer.origin);
      const streams = inputs.map((x) => takeValue(context, x, k, point.simd));
      context.net.from(layer.origin);
      context.net.connect(together(context, streams), { node, port: 0 });
    },
  };
}

/** A stream parted among readers that take turns: a tree, so that none is far from the engine. */
function inTurn(context: Context, stream: Stream, count: number, vectors: number): Stream[] {
  const own = { ...stream, layout: { ...stream.layout, vectors: count * vectors } };
  if (count === 1) return [own];
  const first = count >> 1;
  const beats = beatsOf({ ...stream.layout, vectors });
  const node = context.net.module(
    "n2f_split",
    "split",
    `${count} steps, one after the other`,
    {
      WIDTH: stream.layout.lanes * stream.widthBits,
      A_BEATS: first * beats,
      B_BEATS: (count - first) * beats,
    },
    { inputs: 1, outputs: 2 },
  );
  context.net.connect(own, { node, port: 0 });
  const part = (port: number, steps: number) =>
    inTurn(context, { ...stream, fromBit: 0, from: { node, port } }, steps, vectors);
  return [...part(0, first), ...part(1, count - first)];
}

/** Streams that come in turn as one. */
function together(context: Context, streams: readonly Stream[]): Stream {
  if (streams.length === 1) return streams[0];
  const middle = streams.length >> 1;
  const a = together(context, streams.slice(0, middle));
  const b = together(context, streams.slice(middle));
  const { layout, widthBits } = a;
  const node = context.net.module(
    "n2f_concat",
    "concat",
    `${streams.length} steps, one after the other`,
    {
      WIDTH: layout.lanes * widthBits,
      A_BEATS: beatsOf(layout),
      B_BEATS: beatsOf(b.layout),
    },
    { inputs: 2, outputs: 1 },
  );
  context.net.connect(a, { node, port: 0 });
  context.net.connect(b, { node, port: 1 });
  const all = { ...layout, vectors: layout.vectors + b.layout.vectors };
  return context.net.output(node, all, widthBits);
}
