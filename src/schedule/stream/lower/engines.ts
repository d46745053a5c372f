import { depthwiseMemories, multiplierCode, mvuMemories } from "../../../hwlib/index.ts";
import type { OpValue, ValueId } from "../../../ir/index.ts";
import type { EngineLayer } from "../engine-layer.ts";
import type { FoldingPoint } from "../folding.ts";
import type { Layout } from "../layout.ts";
import type { Stream } from "../network-builder.ts";
import type { WindowGeometry } from "../window-layer.ts";
import type { Context } from "./context.ts";
import { takeValue } from "./take.ts";
import { windowsOf } from "./windows.ts";

export function lowerEngine(context: Context, layer: EngineLayer, value: OpValue): void {
  const point = context.options.point(layer);
  const x = value.args[0];
  const stream =
    layer.kind === "depthwise"
      ? depthwiseEngine(context, layer, point, x)
      : matrixVector(context, layer, point, x);
  context.provide(value.id, stream, layer.twos);
}

function matrixVector(
  context: Context,
  layer: EngineLayer,
  point: FoldingPoint,
  x: ValueId,
): Stream {
  const { k, n, window } = layer;
  const input =
    window === undefined
      ? takeRows(context, x, k, point)
      : windowsOf(context, window, x, 0, { lanes: point.simd, rows: point.rows });
  const isParallel = input.layout.lanes === point.rows * k && point.simd < k;
  const name = context.net.nextName("mvu");
  const params = {
    K: k,
    N: n,
    SIMD: point.simd,
    PE: point.pe,
    ROWS: point.rows,
    PARALLEL: isParallel,
    X_W: input.widthBits,
    X_SIGNED: layer.xSigned,
    W_W: layer.wBits,
    ACC_W: layer.accBits,
    MULTIPLIER: point.multiplier,
    CHAIN: point.chain,
    MEMORY: point.memory,
    WEIGHTS: point.multiplier === multiplierCode.pairedDsp ? `${name}_w` : `${name}_weights.hex`,
    BIAS: layer.hasBias ? `${name}_bias.hex` : "",
  };
  context.net.remember(() => {
    const { weights, bias } = layer.codes();
    return withNames(mvuMemories(params, weights, bias));
  });
  const several = point.rows > 1 ? `, ${point.rows} vectors side by side` : "";
  const title = `${k} by ${n}, ${point.simd} by ${point.pe} at a time${several}`;
  const node = context.net.module("n2f_mvu", "mvu", title, params);
  context.net.connect(input, { node, port: 0 });
  return context.net.output(node, resultLayout(context, layer, point), layer.accBits);
}

/** What is all zeros has no file. */
function withNames(
  files: Iterable<readonly [string, string]>,
): Iterable<readonly [string, string]> {
  return [...files].filter(([name]) => name !== "");
}

/** Vectors as they come, several in a beat where the engine takes several. */
function takeRows(context: Context, x: ValueId, k: number, { rows, simd }: FoldingPoint): Stream {
  return rows === 1 ? takeValue(context, x, k, simd) : takeValue(context, x, rows * k, rows * k);
}

/** Vectors side by side have all of their results in one beat. */
function resultLayout(
  { steps }: Context,
  { n, vectors }: EngineLayer,
  { rows, pe }: FoldingPoint,
): Layout {
  return { vectors: vectors / rows / steps, vector: rows * n, lanes: rows * pe };
}

function depthwiseEngine(
  context: Context,
  layer: EngineLayer,
  point: FoldingPoint,
  x: ValueId,
): Stream {
  const { k, n } = layer;
  const window = layer.window as WindowGeometry;
  const input = windowsOf(context, window, x, 0, {
    lanes: point.pe,
    byChannel: true,
    isWhole: point.isParallel,
    rows: point.rows,
  });
  const name = context.net.nextName("depthwise");
  const params = {
    C: n,
    K: k,
    PE: point.pe,
    ROWS: point.rows,
    PARALLEL: point.isParallel,
    X_W: input.widthBits,
    X_SIGNED: layer.xSigned,
    W_W: layer.wBits,
    ACC_W: layer.accBits,
    MULTIPLIER: point.multiplier,
    MEMORY: point.memory,
    WEIGHTS: `${name}_weights.hex`,
    BIAS: layer.hasBias ? `${name}_bias.hex` : "",
  };
  context.net.remember(() => {
    const codes = layer.codes();
    const { weights, bias } = depthwiseMemories(params, codes.weights, codes.bias);
    return withNames([
      [params.WEIGHTS, weights],
      [params.BIAS, bias],
    ]);
  });
  const title = `${n} channels, ${point.pe} at a time`;
  const node = context.net.module("n2f_depthwise", "depthwise", title, params);
  context.net.connect(input, { node, port: 0 });
  return context.net.output(node, resultLayout(context, layer, point), layer.accBits);
}
