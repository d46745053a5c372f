import { fail } from "../../base/index.ts";
import { bitsFor } from "../../fixed/index.ts";
import { exactChain } from "../../hwlib/index.ts";
import {
  type ConstValue,
  type Graph,
  getValue,
  type OpValue,
  type Origin,
  originText,
  primitiveOf,
  quantArgs,
  quantOf,
  type Registry,
  type ValueId,
} from "../../ir/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import {
  isPixel,
  type WindowGeometry,
  wideWindowBits,
  windowColumns,
  windowGeometry,
} from "./window-layer.ts";

/**
 * Slices of a chain, at most: what comes to the last one waits so long, in one LUT a bit up to here, and all of them
 * have to lie one above the other in a column of the device.
 */
const longestChain = 16;

/** A product with constant weights that an engine of its own makes. */
export interface EngineLayer {
  readonly id: ValueId;
  readonly origin: Origin;
  readonly kind: "dense" | "conv" | "depthwise";
  /** Results, and the windows or rows that they come from. */
  readonly vectors: number;
  /** Numbers of one dot product. */
  readonly k: number;
  /** Dot products of one vector. */
  readonly n: number;
  readonly xBits: number;
  readonly xSigned: boolean;
  readonly wBits: number;
  readonly accBits: number;
  /** Whether some bias is not zero. */
  readonly hasBias: boolean;
  /** How many vectors the engine may take at once, the fewest first. */
  readonly rows: readonly number[];
  /** Absent where rows or pixels go in as they come. */
  readonly window?: WindowGeometry;
  /** Zeros at the end of all codes of a column, which the engine leaves out. */
  readonly twos: readonly number[];
  /** Steps of the loop that it is in, each of which waits for what comes out of the step before. */
  readonly rounds?: number;
  /** How many slices of DSP the sums of pairs of products run through, at most, with this many numbers in a step. */
  chain(simd: number, most?: number): number;
  /** `[n][k]`, and `[n]`. */
  codes(): { readonly weights: bigint[][]; readonly bias: bigint[] };
}

/** The engine of a value, where it is a product with constant weights. */
export function engineLayer(graph: Graph, ops: Registry, value: OpValue): EngineLayer | undefined {
  if (value.op !== "conv" && value.op !== "matmul") return undefined;
  const [x, w] = value.args.map((id) => getValue(graph, id));
  if (w.kind !== "const") {
    if (value.op === "matmul") return undefined;
    return fail("N2F_OP_UNSUPPORTED", "a convolution with weights that are computed", {
      at: originText(value.origin),
      hint: "Weights must be constants of the model.",
    });
  }
  return value.op === "matmul"
    ? denseLayer(graph, ops, value, w)
    : convLayer(graph, value, w, x.shape);
}

function denseLayer(
  graph: Graph,
  ops: Registry,
  value: OpValue,
  w: ConstValue,
): EngineLayer | undefined {
  if (w.shape.length !== 2) return undefined;
  const kernel = primitiveOf(ops, value.op).kernel(
    quantArgs(graph, value),
    value.attrs,
    quantOf(value),
  );
  if (kernel.kind !== "matmul") return undefined;
  const [k, n] = w.shape;
  const vectors = sizeOf(value.shape) / n;
  const data = w.data.data;
  const at = (column: number, row: number) => data[row * n + column];
  return finish(graph, value, { kind: "dense", vectors, k, n, biasShift: kernel.biasShift, at });
}

function convLayer(
  graph: Graph,
  value: OpValue,
  w: ConstValue,
  shape: readonly number[],
): EngineLayer {
  const window = windowGeometry(value, shape);
  const { C, taps } = window;
  const [groups, rows, columns] = w.shape;
  const data = w.data.data;
  const [x, weights, b] = value.args.map((id) => getValue(graph, id));
  const biasShift =
    b === undefined
      ? undefined
      : quantOf(x).format.frac + quantOf(weights).format.frac - quantOf(b).format.frac;
  const n = groups * columns;
  const places = { vectors: window.places, ...(isPixel(window) ? {} : { window }), biasShift };
  if (groups > 1 && groups === C && columns === 1) {
    const at = (channel: number, tap: number) => data[channel * rows + tap];
    return finish(graph, value, { ...places, window, kind: "depthwise", k: taps, n, at });
  }
  // In groups: weights between groups are zero.
  const per = C / groups;
  const at = (column: number, i: number) => {
    const channel = i % C;
    const group = Math.floor(column / columns);
    if (Math.floor(channel / per) !== group) return 0;
    const row = Math.floor(i / C) * per + (channel % per);
    return data[(group * rows + row) * columns + (column % columns)];
  };
  return finish(graph, value, { ...places, kind: "conv", k: taps * C, n, at });
}

interface Draft {
  readonly kind: EngineLayer["kind"];
  readonly vectors: number;
  readonly k: number;
  readonly n: number;
  readonly window?: WindowGeometry;
  readonly biasShift: number | undefined;
  at(column: number, row: number): number;
}

function finish(graph: Graph, value: OpValue, draft: Draft): EngineLayer {
  const { at, biasShift, k, n, ...rest } = draft;
  const [x, , b] = value.args.map((id) => getValue(graph, id));
  const factor = 2 ** (biasShift ?? 0);
  const biasOf = (column: number) => (b?.kind === "const" ? b.data.data[column] * factor : 0);
  const twos = Array.from({ length: n }, (_, column) => {
    let zeros = trailingZeros(biasOf(column));
    for (let i = 0; i < k && zeros > 0; i++) zeros = Math.min(zeros, trailingZeros(at(column, i)));
    return Number.isFinite(zeros) ? zeros : 0;
  });
  let [lo, hi] = [0, 0];
  for (let column = 0; column < n; column++) {
    const step = 2 ** twos[column];
    for (let i = 0; i < k; i++) {
      const code = at(column, i) / step;
      if (code < lo) lo = code;
      if (code > hi) hi = code;
    }
  }
  const { ranges } = quantOf(value);
  let accBits = 1;
  const seen = new Set<string>();
  const columns = Math.min(sizeOf(value.shape), n * ranges.period);
  for (let i = 0; i < columns; i++) {
    const spare = BigInt(twos[i % n]);
    const [least, most] = [ranges.lo(i) >> spare, ranges.hi(i) >> spare];
    const key = `${least},${most}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const { signed, width } = bitsFor(least, most);
    accBits = Math.max(accBits, width + (signed ? 0 : 1));
  }
  const { format } = quantOf(x);
  const bits = bitsFor(BigInt(lo), BigInt(hi));
  const factors = {
    X_W: format.width,
    X_SIGNED: format.signed,
    W_W: Math.max(2, bits.width + (bits.signed ? 0 : 1)),
  };
  const chains = new Map<string, number>();
  let halved: readonly Float64Array[] | undefined;
  return {
    id: value.id,
    origin: value.origin,
    ...rest,
    k,
    n,
    xBits: format.width,
    xSigned: format.signed,
    wBits: factors.W_W,
    accBits,
    hasBias: twos.some((_, column) => biasOf(column) !== 0),
    rows: rowsOf({ ...rest, k }, format.width),
    twos,
    chain(simd, most = longestChain) {
      const key = `${simd},${most}`;
      const known = chains.get(key);
      if (known !== undefined) return known;
      halved ??= Array.from({ length: n }, (_, column) =>
        Float64Array.from({ length: k }, (__, i) => at(column, i) / 2 ** twos[column]),
      );
      const chain = exactChain(halved, simd, factors, most);
      chains.set(key, chain);
      return chain;
    },
    codes: () => ({
      weights: Array.from({ length: n }, (_, column) =>
        Array.from({ length: k }, (__, i) => BigInt(at(column, i)) >> BigInt(twos[column])),
      ),
      bias: Array.from(
        { length: n },
        (_, column) => BigInt(biasOf(column)) >> BigInt(twos[column]),
      ),
    }),
  };
}

/** Vectors side by side: whole windows of neighbouring columns, or as many as divide them all. */
function rowsOf(
  { window, vectors, k }: Omit<Draft, "at" | "n" | "biasShift">,
  xBits: number,
): number[] {
  if (window !== undefined && !isPixel(window)) {
    const counts = windowColumns(window, xBits).map(({ windows }) => windows);
    return [...new Set([1, ...counts])].sort((a, b) => a - b);
  }
  const counts = [1];
  for (let rows = 2; rows <= vectors && rows * k * xBits <= wideWindowBits; rows++)
    if (vectors % rows === 0) counts.push(rows);
  return counts;
}

/** How often an integer can be halved; without end for zero. */
function trailingZeros(code: number): number {
  if (code === 0) return Number.POSITIVE_INFINITY;
  let zeros = 0;
  for (let rest = code; rest % 2 === 0; rest /= 2) zeros++;
  return zeros;
}
