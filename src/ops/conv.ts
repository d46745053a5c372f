import { fail } from "../base/index.ts";
import { type ArgType, definePrimitive, type QuantArg, Ranges } from "../ir/index.ts";
import { type Shape, sameShape, shapeText, sizeOf } from "../tensor/index.ts";
import { addBias, biasShift, columnSums, exactNumbers, multiplyRows } from "./family/product.ts";
import {
  hasPads,
  padCodes,
  paddedShape,
  padReals,
  padSteps,
  type WindowAttrs,
  windowElements,
  windowPlaces,
} from "./family/window.ts";

export interface ConvAttrs extends WindowAttrs {
  readonly group: number;
}

/** What is multiplied with what. */
interface Layout {
  readonly groups: number;
  /** Numbers of one window, in one group. */
  readonly k: number;
  /** Results of one place, in one group. */
  readonly n: number;
  /** Channels of x, in one group. */
  readonly channels: number;
  /** `[N, ...spatial]` of the result. */
  readonly places: readonly number[];
  readonly padded: Shape;
  readonly starts: Int32Array;
  /** Distance of each number of a window from its first, in group 0. */
  readonly steps: Int32Array;
}

function layoutOf([x, w]: readonly ArgType[], attrs: ConvAttrs): Layout {
  const places = windowPlaces(x.shape, attrs);
  const padded = paddedShape(x.shape, attrs);
  const { groups, k, n, channels } = sizesOf([x, w], attrs);
  const { starts, steps } = windowElements(padded, places, attrs);
  const each = new Int32Array(k);
  for (let p = 0; p < steps.length; p++) {
    for (let c = 0; c < channels; c++) each[p * channels + c] = steps[p] + c;
  }
  return { groups, k, n, channels, places, padded, starts, steps: each };
}

function sizesOf([x, w]: readonly ArgType[], attrs: ConvAttrs) {
  const channels = (x.shape.at(-1) ?? 1) / attrs.group;
  const k = sizeOf(attrs.kernel) * channels;
  const [groups, rows, n] = w.shape;
  if (w.shape.length !== 3 || groups !== attrs.group || rows !== k) {
    fail(
      "N2F_OP_ATTRIBUTE",
      `weights of shape ${shapeText(w.shape)} do not fit ${shapeText(x.shape)} in ${attrs.group} groups with a kernel of [${attrs.kernel}]`,
    );
  }
  return { groups, k, n, channels };
}

/**
 * The convolution over real numbers.
 *
 * @param source x in its padding
 * @param begin what each column starts from, `[M]`
 */
function convolve(
  source: Float64Array,
  weights: Float64Array,
  begin: Float64Array,
  { groups, k, n, channels, starts, steps }: Layout,
): Float64Array {
  const columns = groups * n;
  const out = new Float64Array(starts.length * columns);
  // Windows that follow one another in memory are the input itself.
  const isDirect =
    groups === 1 &&
    starts.every((from, row) => from === row * k) &&
    steps.every((step, i) => step === i);
  const atOnce = isDirect ? starts.length : Math.max(64, Math.floor(panelNumbers / k));
  const panel = isDirect ? source : new Float64Array(Math.min(atOnce, starts.length) * k);
  for (let g = 0; g < groups; g++) {
    const block = { data: weights, first: g * k * n, k, n };
    const start = begin.subarray(g * n, (g + 1) * n);
    for (let row = 0; row < starts.length; row += atOnce) {
      const rows = Math.min(atOnce, starts.length - row);
      if (!isDirect) {
        for (let r = 0, to = 0; r < rows; r++) {
          const from = starts[row + r] + g * channels;
          for (let i = 0; i < k; i++) panel[to++] = source[from + steps[i]];
        }
      }
      multiplyRows(panel, 0, rows, block, start, out, row * columns + g * n, columns);
    }
  }
  return out;
}

/** One interval for all positions of a channel, the padding with it. */
function channelInterval(
  x: QuantArg,
  attrs: ConvAttrs,
): (channel: number) => readonly [bigint, bigint] {
  const ranges = x.quant.ranges.byColumn(x.shape.at(-1) ?? 1, sizeOf(x.shape));
  const isPadded = hasPads(attrs);
  return (channel) => {
    const [lo, hi] = [ranges.lo(channel), ranges.hi(channel)];
    return isPadded ? [lo < 0n ? lo : 0n, hi > 0n ? hi : 0n] : [lo, hi];
  };
}

/**
 * The convolution of x `[N, ...spatial, C]` with weights `[group, prod(kernel) * C / group, M / group]`
 * and an optional bias `[M]`: `[N, ...places, M]`. A row of the weights is a position in the window (row-major)
 * and a channel of the group; columns are counted group after group. Padding is zero. Exact: the
 * accumulator is as wide as the real weights make it.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Conv.html
 */
export const conv = definePrimitive<ConvAttrs>({
  name: "conv",
  summary: "The convolution, channels last, with an optional bias for each column.",
  words: ["gather", "matmul"],
  isSequence: true,
  type: (args, attrs) => {
    const [x, , bias] = args;
    const places = windowPlaces(x.shape, attrs);
    const { groups, n } = sizesOf(args, attrs);
    if (bias !== undefined && !sameShape(bias.shape, [groups * n])) {
      fail(
        "N2F_OP_ATTRIBUTE",
        `a bias of shape ${shapeText(bias.shape)} does not fit a convolution of ${groups * n} columns`,
      );
    }
    return { shape: [...places, groups * n], dtype: x.dtype };
  },
  float: (args, attrs) => {
    const [x, w, bias] = args;
    const layout = layoutOf(args, attrs);
    const columns = layout.groups * layout.n;
    const source = padReals(x.data, x.shape, attrs, 0);
    const data = convolve(source, w.data, bias?.data ?? new Float64Array(columns), layout);
    return { shape: [...layout.places, columns], dtype: x.dtype, data };
  },
  narrow: (args) => args.map((_, i) => i < 2),
  quant: (args, attrs) => {
    const [x, w] = args;
    const { groups, k, n, channels } = sizesOf(args, attrs);
    const interval = channelInterval(x, attrs);
    const sums = Array.from({ length: groups }, (_, g) =>
      columnSums((i) => interval(g * channels + (i % channels)), w, { first: g * k * n, k, n }),
    ).flat();
    const ranges = addBias(
      Ranges.each(sums.length, (i) => sums[i]),
      args,
      groups * n,
    );
    return { format: ranges.format(x.quant.format.frac + w.quant.format.frac), ranges };
  },
  fixed: ([x, w, bias], quants, attrs) => {
    const layout = layoutOf(quants, attrs);
    const { groups, k, n, channels, starts, steps } = layout;
    const shift = bias === undefined ? 0n : BigInt(biasShift(quants));
    const begin = Array.from({ length: groups * n }, (_, c) => (bias?.[c] ?? 0n) << shift);
    const numbers = exactNumbers(x, w, begin, k);
    if (numbers !== undefined) {
      const source = padReals(numbers.x, quants[0].shape, attrs, 0);
      return Array.from(convolve(source, numbers.w, numbers.begin, layout), BigInt);
    }
    const source = padCodes(x, quants[0].shape, attrs, 0n);
    const out = new Array<bigint>(starts.length * groups * n);
    let at = 0;
    for (const first of starts) {
      for (let g = 0; g < groups; g++) {
        for (let c = 0; c < n; c++) {
          let sum = begin[g * n + c];
          for (let i = 0; i < k; i++) {
            const weight = w[(g * k + i) * n + c];
            if (weight !== 0n) sum += source[first + g * channels + steps[i]] * weight;
          }
          out[at++] = sum;
        }
      }
    }
    return out;
  },
  kernel: (args, attrs, to) => {
    const [x] = args;
    const { groups, k, n, channels, starts, steps } = layoutOf(args, attrs);
    const [lo, hi] = x.quant.ranges.hull();
    const padding = padSteps(x.shape, attrs, 0n, [lo, hi]);
    const perGroup = (stride: number) => Int32Array.from({ length: groups }, (_, g) => g * stride);
    const [least, most] = to.ranges.hull();
    const product = {
      kind: "matmul" as const,
      groups,
      m: starts.length,
      k,
      n,
      a: {
        offset: perGroup(channels),
        rowStride: 0,
        columnStride: 0,
        rows: starts,
        columns: steps,
      },
      b: { offset: perGroup(k * n), rowStride: n, columnStride: 1 },
      ...(groups > 1 && {
        out: { offset: perGroup(n), rowStride: groups * n, columnStride: 1 },
        biasOffset: perGroup(n),
      }),
      ...(args.length > 2 && { biasShift: biasShift(args) }),
    };
    const step = {
      kernel: product,
      args: args.map((_, i) => (i === 0 && padding.length > 0 ? args.length : i)),
      size: starts.length * groups * n,
      lo: least,
      hi: most,
    };
    return { kind: "sequence", steps: [...padding, step] };
  },
});

/** Numbers of the windows that are laid side by side at once: about what a second-level cache holds. */
const panelNumbers = 1 << 17;
