import { defineMonotone } from "./family/unary.ts";

interface ClipAttrs {
  /** Real bounds; infinite where the model has none. */
  readonly min: number;
  readonly max: number;
  readonly [key: string]: number;
}

/** A real bound as a code of the argument's binary point, to the nearest; an infinite one never acts. */
const bound = (value: number, frac: number): bigint => {
  const limit = 2 ** 62;
  const scaled = Math.round(value * 2 ** frac);
  return BigInt(Math.max(-limit, Math.min(limit, scaled)));
};

const clamp = (x: bigint, lo: bigint, hi: bigint): bigint => {
  const raised = x < lo ? lo : x;
  return raised > hi ? hi : raised;
};

/**
 * x within min and max. The bounds take the argument's binary point, so they are off by at most half a
 * step of it.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Clip.html
 */
export const clip = defineMonotone<ClipAttrs>({
  name: "clip",
  summary: "x within two bounds.",
  float: (x, { min, max }) => Math.min(Math.max(x, min), max),
  fixed: (x, frac, { min, max }) => clamp(x, bound(min, frac), bound(max, frac)),
  word: "clamp",
  kernel: (x, { min, max }) => {
    const { frac } = x.quant.format;
    const [lo, hi] = x.quant.ranges.hull();
    const [low, high] = [bound(min, frac), bound(max, frac)];
    return {
      kind: "clamp",
      lo: low > lo ? low : clamp(lo, low, high),
      hi: high < hi ? high : clamp(hi, low, high),
    };
  },
});
