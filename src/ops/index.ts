import type { Op, Registry } from "../ir/index.ts";
import { add } from "./add.ts";
import { argmax } from "./argmax.ts";
import { batchNorm } from "./batch-norm.ts";
import { clip } from "./clip.ts";
import { concat } from "./concat.ts";
import { conv } from "./conv.ts";
import { div } from "./div.ts";
import { expNeg } from "./exp-neg.ts";
import { gather } from "./gather.ts";
import { gemm } from "./gemm.ts";
import { identity } from "./identity.ts";
import { matmul } from "./matmul.ts";
import { max } from "./max.ts";
import { maxPool } from "./max-pool.ts";
import { min } from "./min.ts";
import { mul } from "./mul.ts";
import { pad } from "./pad.ts";
import { prelu } from "./prelu.ts";
import { quantize } from "./quantize.ts";
import { reciprocal } from "./reciprocal.ts";
import { reduceMax } from "./reduce-max.ts";
import { reduceSum } from "./reduce-sum.ts";
import { relu } from "./relu.ts";
import { requantize } from "./requantize.ts";
import { reshape } from "./reshape.ts";
import { sigmoid } from "./sigmoid.ts";
import { slice } from "./slice.ts";
import { softmax } from "./softmax.ts";
import { sub } from "./sub.ts";
import { sumPool } from "./sum-pool.ts";
import { tanh } from "./tanh.ts";
import { transpose } from "./transpose.ts";
import { truncate } from "./truncate.ts";

export { broadcastIndex, broadcastShapes, normalizeAxis } from "./family/broadcast.ts";
export { type PrecisionAttrs, precisionAttrs, readPrecision } from "./family/precision-attrs.ts";

/** Every operator by the name that the text form writes. The battery in `test/ops` wants one problem each. */
export const opTable = {
  add,
  argmax,
  batch_norm: batchNorm,
  clip,
  concat,
  conv,
  div,
  exp_neg: expNeg,
  gather,
  gemm,
  identity,
  matmul,
  max,
  max_pool: maxPool,
  min,
  mul,
  pad,
  prelu,
  quantize,
  reciprocal,
  reduce_max: reduceMax,
  reduce_sum: reduceSum,
  relu,
  requantize,
  reshape,
  sigmoid,
  slice,
  softmax,
  sub,
  sum_pool: sumPool,
  tanh,
  transpose,
  truncate,
} satisfies Record<string, Op>;

export type OpName = keyof typeof opTable;

export const ops: Registry = new Map<string, Op>(Object.entries(opTable));
