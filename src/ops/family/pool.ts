import { fail } from "../../base/index.ts";
import { definePrimitive, type Op, type ReduceKernel } from "../../ir/index.ts";
import { type Shape, shapeText, sizeOf } from "../../tensor/index.ts";
import {
  hasPads,
  padCodes,
  paddedShape,
  padReals,
  padSteps,
  type WindowAttrs,
  windowElements,
  windowPlaces,
} from "./window.ts";

type Interval = readonly [bigint, bigint];

/** What one pooling adds to the family. */
export interface PoolSpec {
  readonly name: string;
  readonly summary: string;
  readonly fn: Extract<ReduceKernel["fn"], "max" | "sum">;
  /** What stands in the padding. */
  readonly padReal: number;
  /** The same as a code, for a value that reaches from `lo` up. */
  readonly padCode: (lo: bigint) => bigint;
  readonly float: (a: number, b: number) => number;
  readonly fixed: (a: bigint, b: bigint) => bigint;
  /** Of so many elements of one interval. */
  readonly interval: (each: Interval, count: number) => Interval;
}

/** Each channel's windows, reduced: `[N, ...spatial, C]` to `[N, ...places, C]`; exact. */
export function definePool(spec: PoolSpec): Op {
  /** For each result its first element, and the distances of the others, in the padded value. */
  const windowsOf = (x: Shape, attrs: WindowAttrs) => {
    const places = windowPlaces(x, attrs);
    const { starts, steps } = windowElements(paddedShape(x, attrs), places, attrs);
    const channels = x.at(-1) as number;
    const each = new Int32Array(starts.length * channels);
    for (let i = 0; i < each.length; i++) {
      each[i] = starts[Math.floor(i / channels)] + (i % channels);
    }
    return { shape: [...places, channels], starts: each, steps };
  };
  return definePrimitive<WindowAttrs>({
    name: spec.name,
    summary: spec.summary,
    words: ["gather", "reduce"],
    isSequence: true,
    type: ([x], attrs) => {
      const places = windowPlaces(x.shape, attrs);
      if (spec.fn === "max") checkWindows(x.shape, places, attrs);
      return { shape: [...places, x.shape.at(-1) as number], dtype: x.dtype };
    },
    float: ([x], attrs) => {
      const { shape, starts, steps } = windowsOf(x.shape, attrs);
      const source = padReals(x.data, x.shape, attrs, spec.padReal);
      const data = new Float64Array(starts.length);
      for (let i = 0; i < starts.length; i++) {
        let result = source[starts[i]];
        for (let k = 1; k < steps.length; k++) {
          result = spec.float(result, source[starts[i] + steps[k]]);
        }
        data[i] = result;
      }
      return { shape, dtype: x.dtype, data };
    },
    narrow: () => [false],
    quant: ([x], attrs) => {
      const columns = x.quant.ranges.byColumn(x.shape.at(-1) as number, sizeOf(x.shape));
      const count = sizeOf(attrs.kernel);
      const ranges = columns.map((lo, hi) => {
        const fill = spec.padCode(lo);
        return spec.interval(
          hasPads(attrs) ? [fill < lo ? fill : lo, fill > hi ? fill : hi] : [lo, hi],
          count,
        );
      });
      return { format: ranges.format(x.quant.format.frac), ranges };
    },
    fixed: ([x], [arg], attrs) => {
      const { starts, steps } = windowsOf(arg.shape, attrs);
      const source = padCodes(x, arg.shape, attrs, spec.padCode(arg.quant.ranges.hull()[0]));
      return Array.from(starts, (from) =>
        Array.from(steps, (step) => source[from + step]).reduce(spec.fixed),
      );
    },
    kernel: ([x], attrs, to) => {
      const { starts, steps } = windowsOf(x.shape, attrs);
      const [lo, hi] = x.quant.ranges.hull();
      const padding = padSteps(x.shape, attrs, spec.padCode(lo), [lo, hi]);
      const [least, most] = to.ranges.hull();
      const kernel = {
        kind: "reduce" as const,
        fn: spec.fn,
        outer: starts.length,
        length: steps.length,
        inner: 1,
        windows: { starts, steps },
      };
      const args = [padding.length > 0 ? 1 : 0];
      const step = { kernel, args, size: starts.length, lo: least, hi: most };
      return { kind: "sequence", steps: [...padding, step] };
    },
  });
}

/** @throws N2F_OP_ATTRIBUTE where a window lies in the padding alone, whose greatest would be nothing */
function checkWindows(x: Shape, places: Shape, attrs: WindowAttrs): void {
  const { kernel, strides, dilations, pads } = attrs;
  kernel.forEach((length, axis) => {
    for (let place = 0; place < places[axis + 1]; place++) {
      const first = place * strides[axis] - pads[axis];
      const isReal = (k: number) => {
        const at = first + k * dilations[axis];
        return at >= 0 && at < x[axis + 1];
      };
      if (Array.from({ length }, (_, k) => k).some(isReal)) continue;
      fail(
        "N2F_OP_ATTRIBUTE",
        `window ${place} along spatial axis ${axis} of ${shapeText(x)} lies in the padding alone`,
      );
    }
  });
}
