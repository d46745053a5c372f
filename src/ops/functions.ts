import type { Op } from "../ir/index.ts";
import { defineTable } from "./family/table.ts";

/*
 * Functions of one real number. Each is a table over the argument's codes, so all that is to say of one is
 * its formula and where it still changes: an infinite end is replaced by what calibration saw.
 */

type Domain = readonly [number, number];

const everywhere: Domain = [-Infinity, Infinity];
const positive: Domain = [0, Infinity];
const unit: Domain = [-1, 1];

interface Formula<A extends readonly string[]> {
  readonly summary: string;
  readonly domain: Domain;
  readonly isSteep?: boolean;
  readonly float: (x: number, attrs: Readonly<Record<A[number], number>>) => number;
}

function define<A extends readonly string[] = readonly []>(
  name: string,
  { summary, domain, isSteep, float }: Formula<A>,
): Op {
  return defineTable<Readonly<Record<A[number], number>>>({
    name,
    summary,
    float,
    domain: () => domain,
    ...(isSteep && { isSteep }),
  });
}

/**
 * The error function, by its series of positive terms; within 1e-15. One from 6 on.
 * @see https://dlmf.nist.gov/7.6#E2
 */
function erfOf(x: number): number {
  if (Math.abs(x) >= 6) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const softplusOf = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

export const exp = define("exp", {
  summary: "exp(x).",
  domain: everywhere,
  float: Math.exp,
});

export const log = define("log", {
  summary: "The natural logarithm.",
  domain: positive,
  isSteep: true,
  float: Math.log,
});

export const sqrt = define("sqrt", {
  summary: "The square root.",
  domain: positive,
  isSteep: true,
  float: Math.sqrt,
});

/** At zero the greatest number of the result's format. What normalizations divide by. */
export const rsqrt = define("rsqrt", {
  summary: "1 / sqrt(x).",
  domain: positive,
  isSteep: true,
  float: (x) => 1 / Math.sqrt(x),
});

/** x ^ exponent for an exponent that products cannot make. */
export const power = define<readonly ["exponent"]>("power", {
  summary: "x to a constant power.",
  domain: everywhere,
  float: (x, { exponent }) => x ** exponent,
});

export const sin = define("sin", { summary: "The sine.", domain: everywhere, float: Math.sin });

export const cos = define("cos", { summary: "The cosine.", domain: everywhere, float: Math.cos });

export const tan = define("tan", { summary: "The tangent.", domain: everywhere, float: Math.tan });

export const asin = define("asin", { summary: "The arc sine.", domain: unit, float: Math.asin });

export const acos = define("acos", { summary: "The arc cosine.", domain: unit, float: Math.acos });

export const atan = define("atan", {
  summary: "The arc tangent.",
  domain: everywhere,
  float: Math.atan,
});

export const sinh = define("sinh", {
  summary: "The hyperbolic sine.",
  domain: everywhere,
  float: Math.sinh,
});

export const cosh = define("cosh", {
  summary: "The hyperbolic cosine.",
  domain: everywhere,
  float: Math.cosh,
});

export const asinh = define("asinh", {
  summary: "The inverse hyperbolic sine.",
  domain: everywhere,
  float: Math.asinh,
});

export const acosh = define("acosh", {
  summary: "The inverse hyperbolic cosine.",
  domain: [1, Infinity],
  float: Math.acosh,
});

export const atanh = define("atanh", {
  summary: "The inverse hyperbolic tangent.",
  domain: unit,
  float: Math.atanh,
});

/** Within 2^-25 of its limits outside -4 .. 4. */
export const erf = define("erf", {
  summary: "The error function.",
  domain: [-4, 4],
  float: erfOf,
});

/** @see https://onnx.ai/onnx/operators/onnx__Gelu.html */
export const gelu = define("gelu", {
  summary: "x * (1 + erf(x / sqrt(2))) / 2.",
  domain: [-6, Infinity],
  float: (x) => (x * (1 + erfOf(x / Math.SQRT2))) / 2,
});

/** @see https://onnx.ai/onnx/operators/onnx__Gelu.html (approximate = tanh) */
export const geluTanh = define("gelu_tanh", {
  summary: "Gelu by its approximation with tanh.",
  domain: [-6, Infinity],
  float: (x) => (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2,
});

/** SiLU where alpha is 1. */
export const swish = define<readonly ["alpha"]>("swish", {
  summary: "x * sigmoid(alpha * x).",
  domain: everywhere,
  float: (x, { alpha }) => x / (1 + Math.exp(-alpha * x)),
});

export const mish = define("mish", {
  summary: "x * tanh(softplus(x)).",
  domain: [-16, Infinity],
  float: (x) => x * Math.tanh(softplusOf(x)),
});

export const softplus = define("softplus", {
  summary: "log(1 + exp(x)).",
  domain: [-12, Infinity],
  float: softplusOf,
});

export const softsign = define("softsign", {
  summary: "x / (1 + abs(x)).",
  domain: everywhere,
  float: (x) => x / (1 + Math.abs(x)),
});

/** Selu is gamma times it. */
export const elu = define<readonly ["alpha"]>("elu", {
  summary: "x from zero up, alpha * (exp(x) - 1) below.",
  domain: [-12, Infinity],
  float: (x, { alpha }) => (x < 0 ? alpha * Math.expm1(x) : x),
});

export const celu = define<readonly ["alpha"]>("celu", {
  summary: "x from zero up, alpha * (exp(x / alpha) - 1) below.",
  domain: everywhere,
  float: (x, { alpha }) => (x < 0 ? alpha * Math.expm1(x / alpha) : x),
});
