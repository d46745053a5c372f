import type { Op, Registry } from "../ir/index.ts";
import { add } from "./add.ts";
import { argmax } from "./argmax.ts";
import { argmin } from "./argmin.ts";
import { batchNorm } from "./batch-norm.ts";
import { clip } from "./clip.ts";
import { codeTable } from "./code-table.ts";
import { concat } from "./concat.ts";
import { conv } from "./conv.ts";
import { div } from "./div.ts";
import { expNeg } from "./exp-neg.ts";
import {
  acos,
  acosh,
  asin,
  asinh,
  atan,
  atanh,
  celu,
  cos,
  cosh,
  elu,
  erf,
  exp,
  gelu,
  geluTanh,
  log,
  mish,
  power,
  rsqrt,
  sin,
  sinh,
  softplus,
  softsign,
  sqrt,
  swish,
  tan,
} from "./functions.ts";
import { gather } from "./gather.ts";
import { gemm } from "./gemm.ts";
import { identity } from "./identity.ts";
import { mask } from "./mask.ts";
import { matmul } from "./matmul.ts";
import { max } from "./max.ts";
import { maxPool } from "./max-pool.ts";
import { min } from "./min.ts";
import { mul } from "./mul.ts";
import { multiThreshold } from "./multi-threshold.ts";
import { pad } from "./pad.ts";

import { prelu } from "./prelu.ts";
import { quantize } from "./quantize.ts";
import { quotient } from "./quotient.ts";
import { reciprocal } from "./reciprocal.ts";
import { reduceMax } from "./reduce-max.ts";
import { reduceMin } from "./reduce-min.ts";
import { reduceSum } from "./reduce-sum.ts";
import { relu } from "./relu.ts";
import { requantize } from "./requantize.ts";
import { reshape } from "./reshape.ts";
import { floor, round } from "./rounding.ts";
import { sigmoid } from "./sigmoid.ts";
import { isPositive, sign } from "./sign.ts";
import { slice } from "./slice.ts";
import { softmax } from "./softmax.ts";
import { square } from "./square.ts";
import { state } from "./state.ts";
import { sub } from "./sub.ts";
import { sumPool } from "./sum-pool.ts";
import { expand, take } from "./take.ts";
import { tanh } from "./tanh.ts";
import { transpose } from "./transpose.ts";
import { truncDiv } from "./trunc-div.ts";
import { truncate } from "./truncate.ts";

export { broadcastIndex, broadcastShapes, normalizeAxis, splitAtAxis } from "./family/broadcast.ts";
export { type PrecisionAttrs, precisionAttrs, readPrecision } from "./family/precision-attrs.ts";

/** Every operator by the name that the text form writes. The battery in `test/ops` wants one problem each. */
export const opTable = {
  acos,
  acosh,
  add,
  argmax,
  argmin,
  asin,
  asinh,
  atan,
  atanh,
  batch_norm: batchNorm,
  celu,
  clip,
  code_table: codeTable,
  concat,
  conv,
  cos,
  cosh,
  div,
  elu,
  erf,
  exp,
  exp_neg: expNeg,
  expand,
  floor,
  gather,
  gelu,
  gelu_tanh: geluTanh,
  gemm,
  identity,
  is_positive: isPositive,
  log,
  mask,
  matmul,
  max,
  max_pool: maxPool,
  min,
  mish,
  mul,
  multi_threshold: multiThreshold,
  pad,
  power,
  prelu,
  quantize,
  quotient,
  reciprocal,
  reduce_max: reduceMax,
  reduce_min: reduceMin,
  reduce_sum: reduceSum,
  relu,
  requantize,
  reshape,
  round,
  rsqrt,
  sigmoid,
  sign,
  sin,
  sinh,
  slice,
  softmax,
  softplus,
  softsign,
  sqrt,
  square,
  state,
  sub,
  sum_pool: sumPool,
  swish,
  take,
  tan,
  tanh,
  transpose,
  trunc_div: truncDiv,
  truncate,
} satisfies Record<string, Op>;

export type OpName = keyof typeof opTable;

export const ops: Registry = new Map<string, Op>(Object.entries(opTable));
