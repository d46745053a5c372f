import { multiplierCode } from "../../../hwlib/index.ts";
import { getValue, type Kernel, type OpValue, quantOf } from "../../../ir/index.ts";
import type { Stream } from "../network-builder.ts";
import { type Context, lutRamBits, refuse } from "./context.ts";
import { takeValue } from "./take.ts";

/** The product of two streams. */
export function lowerProduct(
  context: Context,
  value: OpValue,
  kernel: Extract<Kernel, { kind: "matmul" }>,
): Stream {
  const { groups, m, k, n, a, b } = kernel;
  const { interval } = context.options;
  const [x, y] = value.args;
  const constant = value.args.find((id) => getValue(context.graph, id).kind === "const");
  if (constant !== undefined)
    return refuse(value, `its factor ${constant} is constant and not on the right`);
  const isRegular = (side: typeof a, size: number) =>
    side.offset.every((offset, g) => offset === g * size);
  const isTransposed = b.rowStride === 1 && b.columnStride === k && n > 1;
  const isStraight = b.columnStride === 1 && b.rowStride === n;
  if (
    !isRegular(a, m * k) ||
    !isRegular(b, k * n) ||
    a.rowStride !== k ||
    a.columnStride !== 1 ||
    !(isTransposed || isStraight) ||
    value.args.length > 2
  ) {
    return refuse(value, "its factors do not lie row by row");
  }
  if ([x, y].some((id) => getValue(context.graph, id).kind === "const"))
    return refuse(value, "each of several matrices has constants of its own");
  const transposed = isTransposed && !isStraight;
  let best: { simd: number; pe: number } = { simd: k, pe: n };
  for (let simd = 1; simd <= k; simd++) {
    if (k % simd !== 0) continue;
    for (let pe = 1; pe <= n; pe++) {
      if (n % pe !== 0) continue;
      const steps = groups * m * (k / simd) * (n / pe);
      const loads = groups * (transposed ? (n * k) / simd : (n * k) / pe);
      if (Math.max(steps, loads) > interval || simd * pe >= best.simd * best.pe) continue;
      best = { simd, pe };
    }
  }
  const { simd, pe } = best;
  const left = takeValue(context, x, k, simd);
  const right = transposed ? takeValue(context, y, k, simd) : takeValue(context, y, n, pe);
  const [fa, fb] = [x, y].map((id) => quantOf(getValue(context.graph, id)).format);
  const to = quantOf(value).format;
  const bits = to.width + (to.signed ? 0 : 1);
  const node = context.net.module(
    "n2f_matmul2",
    "matmul",
    `${m} by ${k} by ${n}, ${simd} by ${pe} at a time`,
    {
      M: m,
      K: k,
      N: n,
      SIMD: simd,
      PE: pe,
      TRANSPOSED: transposed,
      A_W: left.widthBits,
      A_SIGNED: fa.signed,
      B_W: right.widthBits,
      B_SIGNED: fb.signed,
      Y_W: bits,
      MULTIPLIER: multiplierCode.dsp,
      STYLE: (k * n * right.widthBits) / pe > lutRamBits ? 1 : 0,
    },
    { inputs: 2, outputs: 1 },
  );
  context.net.connect(left, { node, port: 0 });
  context.net.connect(right, { node, port: 1 });
  return context.net.output(node, { vectors: groups * m, vector: n, lanes: pe }, bits);
}
