import { assert, unreachable } from "../base/index.ts";
import type { NetBuilder, Wire } from "../design/index.ts";
import { bitsFor, limit, makeFormat, shiftRound } from "../fixed/index.ts";
import {
  type BinaryKernel,
  channelOf,
  type Kernel,
  type KernelWord,
  type MatmulKernel,
  type Operand,
  productElement,
  type ReduceKernel,
  type RequantizeKernel,
  reduceElement,
  type ScaleKernel,
  type SlopeKernel,
  sideElement,
  stepsOf,
  type TableKernel,
  type ThresholdKernel,
} from "../ir/index.ts";
import { buildSums } from "./constant-matrix.ts";
import { constantProduct } from "./constant-product.ts";
import { planSharedSums, type SumPlan } from "./shared-sums.ts";
import { sumTerms, type Term } from "./sum.ts";

/** The elements of one argument: constants are constant wires. */
export type Wires = readonly Wire[];

/**
 * Unrolls one operator: a wire for each element of the result. Works from the kernel alone, whatever the
 * operator is called.
 */
export function expandKernel(
  build: NetBuilder,
  kernel: Kernel,
  args: readonly Wires[],
  size: number,
): Wire[] {
  const all: Wires[] = [...args];
  for (const step of stepsOf(kernel, args.length, size, [0n, 0n])) {
    const own = step.args.map((arg) => all[arg]);
    all.push(expandWord(build, step.kernel, own, step.size));
  }
  return all.at(-1) as Wire[];
}

function expandWord(
  build: NetBuilder,
  kernel: KernelWord,
  args: readonly Wires[],
  size: number,
): Wire[] {
  const each = (element: (i: number) => Wire): Wire[] =>
    Array.from({ length: size }, (_, i) => element(i));
  switch (kernel.kind) {
    case "gather":
      return each((i) => {
        const from = kernel.index?.[i] ?? i;
        if (from < 0) return build.constant(kernel.fill ?? 0n);
        return args[kernel.source?.[i] ?? 0][from];
      });
    case "binary":
      return each((i) => binary(build, kernel, pick(args, kernel.a, i), pick(args, kernel.b, i)));
    case "clamp":
      return each((i) => clamp(build, args[0][i], kernel.lo, kernel.hi));
    case "requantize":
      return each((i) => requantize(build, args[0][i], kernel));
    case "slope":
      return each((i) => slope(build, kernel, args[0][i], i));
    case "table":
      return each((i) => table(build, kernel, args[0][i]));
    case "scale":
      return each((i) => scale(build, kernel, args[0][i], i));
    case "threshold":
      return each((i) => countThresholds(build, kernel, args[0][i], i));
    case "reduce":
      return each((i) => reduce(build, kernel, args[0], i));
    case "matmul":
      return matmul(build, kernel, args);
    default:
      return unreachable(kernel);
  }

  function pick(from: readonly Wires[], operand: Operand, i: number): Operand & { wire: Wire } {
    return { ...operand, wire: from[operand.arg][operand.index?.[i] ?? i] };
  }
}

type Side = Operand & { readonly wire: Wire };

function binary(build: NetBuilder, { fn }: BinaryKernel, a: Side, b: Side): Wire {
  const [ca, cb] = [build.cell(a.wire), build.cell(b.wire)];
  if (fn === "mul") {
    if (ca.net.kind === "const")
      return termWire(build, constantProduct(build, b.wire, ca.net.value));
    if (cb.net.kind === "const")
      return termWire(build, constantProduct(build, a.wire, cb.net.value));
    return product(build, a.wire, b.wire);
  }
  const [sa, sb] = [BigInt(a.shift), BigInt(b.shift)];
  const [al, ah, bl, bh] = [ca.lo << sa, ca.hi << sa, cb.lo << sb, cb.hi << sb];
  if (fn === "add" || fn === "sub") {
    const subtract = fn === "sub";
    if (bl === 0n && bh === 0n) return build.shiftLeft(a.wire, a.shift);
    if (!subtract && al === 0n && ah === 0n) return build.shiftLeft(b.wire, b.shift);
    const [lo, hi] = subtract ? [al - bh, ah - bl] : [al + bl, ah + bh];
    return build.add(a.wire, a.shift, b.wire, b.shift, subtract, lo, hi);
  }
  return extreme(build, fn, build.shiftLeft(a.wire, a.shift), build.shiftLeft(b.wire, b.shift));
}

/** The product of two varying numbers. A square is never negative. */
function product(build: NetBuilder, a: Wire, b: Wire): Wire {
  const [ca, cb] = [build.cell(a), build.cell(b)];
  const corners =
    a === b
      ? [ca.lo * ca.lo, ca.hi * ca.hi, ...(ca.lo < 0n && ca.hi > 0n ? [0n] : [])]
      : [ca.lo * cb.lo, ca.lo * cb.hi, ca.hi * cb.lo, ca.hi * cb.hi];
  const lo = corners.reduce((x, y) => (x < y ? x : y));
  const hi = corners.reduce((x, y) => (x > y ? x : y));
  return build.net({ kind: "mul", a, b }, lo, hi);
}

function termWire(build: NetBuilder, term: Term | undefined): Wire {
  return sumTerms(build, term === undefined ? [] : [term]);
}

function extreme(build: NetBuilder, fn: "max" | "min", a: Wire, b: Wire): Wire {
  const [ca, cb] = [build.cell(a), build.cell(b)];
  const isMax = fn === "max";
  // One that can never lose needs no comparison.
  if (isMax ? ca.lo >= cb.hi : ca.hi <= cb.lo) return a;
  if (isMax ? cb.lo >= ca.hi : cb.hi <= ca.lo) return b;
  const further = (x: bigint, y: bigint) => (x > y === isMax ? x : y);
  return build.net({ kind: "extreme", fn, a, b }, further(ca.lo, cb.lo), further(ca.hi, cb.hi));
}

function clamp(build: NetBuilder, a: Wire, lo: bigint, hi: bigint): Wire {
  const cell = build.cell(a);
  if (cell.lo >= lo && cell.hi <= hi) return a;
  // Bounds in the wrong order: the upper one is applied last and wins.
  if (lo > hi) return build.constant(hi);
  const within = (x: bigint) => (x < lo ? lo : x > hi ? hi : x);
  return build.net({ kind: "clamp", a, lo, hi }, within(cell.lo), within(cell.hi));
}

function requantize(build: NetBuilder, a: Wire, kernel: RequantizeKernel): Wire {
  const { lo, hi } = build.cell(a);
  const { shift, rounding, overflow } = kernel;
  const format = makeFormat(kernel.signed, kernel.width, 0);
  const [low, high] = [shiftRound(lo, shift, rounding), shiftRound(hi, shift, rounding)];
  const limited = [limit(low, format, overflow), limit(high, format, overflow)];
  const fits = limited[0] === low && limited[1] === high;
  if (fits && shift <= 0) return build.shiftLeft(a, -shift);
  if (overflow === "WRAP" && !fits) {
    const max = (1n << BigInt(kernel.signed ? kernel.width - 1 : kernel.width)) - 1n;
    const min = kernel.signed ? -max - 1n : 0n;
    const { signed, width } = kernel;
    return build.net({ kind: "requantize", a, shift, rounding, overflow, signed, width }, min, max);
  }
  // A limit that can act is an end of the format, so the narrowest format of the interval has it too.
  const { signed, width } = bitsFor(limited[0], limited[1]);
  // Of one signed bit the symmetric range has no -1, which 2 bits have.
  const cut = overflow === "SAT_SYM" && signed && width === 1 ? "SAT" : overflow;
  const rule = fits ? "WRAP" : cut;
  const net = { kind: "requantize", a, shift, rounding, overflow: rule, signed, width } as const;
  return build.net(net, limited[0], limited[1]);
}

function slope(build: NetBuilder, kernel: SlopeKernel, x: Wire, i: number): Wire {
  const { lo, hi } = build.cell(x);
  const code = BigInt(kernel.slope[kernel.slope.length === 1 ? 0 : i]);
  const above = build.shiftLeft(x, kernel.shift);
  if (lo >= 0n) return above;
  const below = termWire(build, constantProduct(build, x, code));
  if (hi < 0n) return below;
  const shift = BigInt(kernel.shift);
  // Below zero the product runs from lo * slope to -slope; from zero up it is x shifted.
  const ends = [lo * code, -code, 0n, hi << shift];
  const least = ends.reduce((a, b) => (a < b ? a : b));
  const greatest = ends.reduce((a, b) => (a > b ? a : b));
  const condition = build.net(
    { kind: "greater", a: build.constant(0n), b: x, orEqual: false },
    0n,
    1n,
  );
  return build.net({ kind: "choose", condition, a: below, b: above }, least, greatest);
}

function table(build: NetBuilder, kernel: TableKernel, a: Wire): Wire {
  const cell = build.cell(a);
  const [first, last] = [Number(cell.lo), Number(cell.hi)];
  const values = kernel.values.subarray(first - kernel.lo, last + 1 - kernel.lo);
  assert(values.length === last - first + 1, "the table does not cover its argument");
  let [lo, hi] = [values[0], values[0]];
  for (const value of values) {
    lo = Math.min(lo, value);
    hi = Math.max(hi, value);
  }
  return build.net({ kind: "table", a, lo: first, values }, BigInt(lo), BigInt(hi));
}

/** x * m + a by shifts and adders, then the shift and the bounds. */
function scale(build: NetBuilder, kernel: ScaleKernel, x: Wire, i: number): Wire {
  const c = channelOf(kernel, i);
  const terms = [constantProduct(build, x, BigInt(kernel.m[c]))].filter((t) => t !== undefined);
  const addend = BigInt(kernel.a[c]);
  if (addend !== 0n) terms.push({ wire: build.constant(addend), shift: 0, sign: 1 });
  const { shift, rounding, lo, hi, offset } = kernel;
  const drop = { shift, rounding, overflow: "SAT", signed: true, width: 64 } as const;
  const dropped = requantize(build, sumTerms(build, terms), { kind: "requantize", ...drop });
  const bounded = clamp(build, dropped, lo, hi);
  if (offset === 0n) return bounded;
  const { lo: from, hi: to } = build.cell(bounded);
  return build.add(bounded, 0, build.constant(offset), 0, false, from + offset, to + offset);
}

/** Up to this many thresholds are all compared at once. */
const comparedThresholds = 7;

/** Thresholds reached: all compared and the bits added up, or found one bit after the other. */
function countThresholds(build: NetBuilder, kernel: ThresholdKernel, x: Wire, i: number): Wire {
  const c = channelOf(kernel, i);
  const u = kernel.falls[c] ? build.negate(x) : x;
  const { lo, hi } = build.cell(u);
  const all = kernel.thresholds.subarray(c * kernel.count, (c + 1) * kernel.count);
  const base = BigInt(kernel.base[c]) + BigInt(all.filter((limit) => limit <= lo).length);
  const limits = all.filter((limit) => limit > lo && limit <= hi);
  const reaches = (limit: Wire) =>
    build.net({ kind: "greater", a: u, b: limit, orEqual: true }, 0n, 1n);
  const isSearched = limits.length > comparedThresholds && limits.every(isExactNumber);
  const count = isSearched
    ? searchThresholds(build, limits, reaches, hi + 1n)
    : sumTerms(
        build,
        Array.from(limits, (limit) => ({
          wire: reaches(build.constant(limit)),
          shift: 0,
          sign: 1 as const,
        })),
      );
  if (base === 0n) return count;
  const { hi: most } = build.cell(count);
  return build.add(count, 0, build.constant(base), 0, false, base, most + base);
}

const isExactNumber = (code: bigint): boolean => BigInt(Number(code)) === code;

/**
 * The number of ascending limits reached, from its highest bit down: each bit is one comparison, with the limit
 * that the bits before it choose out of a table.
 */
function searchThresholds(
  build: NetBuilder,
  limits: BigInt64Array,
  reaches: (limit: Wire) => Wire,
  beyond: bigint,
): Wire {
  const levels = Math.ceil(Math.log2(limits.length + 1));
  let count: Wire | undefined;
  for (let level = 0; level < levels; level++) {
    const half = 2 ** (levels - level - 1);
    const choices = Float64Array.from({ length: 2 ** level }, (_, n) =>
      Number(limits[(2 * n + 1) * half - 1] ?? beyond),
    );
    const limit =
      count === undefined ? build.constant(BigInt(choices[0])) : choice(build, count, choices);
    const bit = reaches(limit);
    if (count === undefined) count = bit;
    else {
      // Limits that are not there are not reached, so the count stays below them.
      const most = BigInt(Math.floor(limits.length / half));
      count = build.add(count, 1, bit, 0, false, 0n, most);
    }
  }
  return count ?? build.constant(0n);
}

function choice(build: NetBuilder, index: Wire, values: Float64Array): Wire {
  const { lo, hi } = build.cell(index);
  return table(
    build,
    { kind: "table", lo: Number(lo), values: values.subarray(Number(lo), Number(hi) + 1) },
    index,
  );
}

function reduce(build: NetBuilder, kernel: ReduceKernel, x: Wires, i: number): Wire {
  const along = Array.from({ length: kernel.length }, (_, k) => x[reduceElement(kernel, i, k)]);
  switch (kernel.fn) {
    case "sum":
      return sumTerms(
        build,
        along.map((wire) => ({ wire, shift: 0, sign: 1 })),
      );
    case "max":
    case "min": {
      const { fn } = kernel;
      return pairwise(along, (a, b) => extreme(build, fn, a, b));
    }
    case "argmax":
    case "argmin": {
      const entries = along.map((wire, k) => ({ wire, index: build.constant(BigInt(k)) }));
      return pairwise(entries, (a, b) => contest(build, kernel, a, b)).index;
    }
    default:
      return unreachable(kernel.fn);
  }
}

interface Entry {
  readonly wire: Wire;
  readonly index: Wire;
}

/** The winner of two neighbours in an argmax; `a` comes first. */
function contest(build: NetBuilder, kernel: ReduceKernel, a: Entry, b: Entry): Entry {
  const orEqual = kernel.last === true;
  const [left, right] = kernel.fn === "argmax" ? [b.wire, a.wire] : [a.wire, b.wire];
  const condition = build.net({ kind: "greater", a: left, b: right, orEqual }, 0n, 1n);
  const [ia, ib] = [build.cell(a.index), build.cell(b.index)];
  const index = build.net({ kind: "choose", condition, a: b.index, b: a.index }, ia.lo, ib.hi);
  const fn = kernel.fn === "argmax" ? "max" : "min";
  return { wire: extreme(build, fn, a.wire, b.wire), index };
}

/** Joins neighbours until one is left: a balanced tree that keeps the order. */
function pairwise<T>(items: readonly T[], join: (a: T, b: T) => T): T {
  let level = items;
  while (level.length > 1) {
    level = Array.from({ length: Math.ceil(level.length / 2) }, (_, i) =>
      2 * i + 1 < level.length ? join(level[2 * i], level[2 * i + 1]) : level[2 * i],
    );
  }
  return level[0];
}

/**
 * A matrix product. With constant weights the additions are planned once for the matrix, so that outputs
 * share sums, and built for each row.
 */
function matmul(build: NetBuilder, kernel: MatmulKernel, args: readonly Wires[]): Wire[] {
  const { groups, m, k, n, a, b } = kernel;
  const plans = new Map<number, SumPlan>();
  const results = new Array<Wire>(groups * m * n);
  for (let group = 0; group < groups; group++) {
    const bias = biasCodes(build, kernel, args, group);
    const y = (at: number, column: number) => args[1][sideElement(b, group, at, column)];
    const isConstant = build.cell(y(0, 0)).net.kind === "const";
    let plan = plans.get(b.offset[group]);
    if (isConstant && plan === undefined) {
      const weights = Array.from({ length: n }, (_, column) =>
        Array.from({ length: k }, (__, at) => build.cell(y(at, column)).lo),
      );
      plan = planSharedSums(weights, k);
      plans.set(b.offset[group], plan);
    }
    for (let row = 0; row < m; row++) {
      const x = Array.from({ length: k }, (_, at) => args[0][sideElement(a, group, row, at)]);
      const sums =
        plan !== undefined
          ? buildSums(build, plan, x, bias)
          : Array.from({ length: n }, (_, column) =>
              dotProduct(build, x, (at) => y(at, column), bias[column]),
            );
      sums.forEach((sum, column) => {
        results[productElement(kernel, group, row, column)] = sum;
      });
    }
  }
  return results;
}

function biasCodes(
  build: NetBuilder,
  { n, biasShift, biasOffset }: MatmulKernel,
  args: readonly Wires[],
  group: number,
): bigint[] {
  const first = biasOffset?.[group] ?? 0;
  return Array.from({ length: n }, (_, column) =>
    biasShift === undefined ? 0n : build.cell(args[2][first + column]).lo << BigInt(biasShift),
  );
}

/** Products of varying numbers (or of constants on the left), added up. */
function dotProduct(build: NetBuilder, x: Wires, y: (at: number) => Wire, bias: bigint): Wire {
  const terms = x.flatMap((wire, at) => productTerm(build, wire, y(at)) ?? []);
  if (bias !== 0n) terms.push({ wire: build.constant(bias), shift: 0, sign: 1 });
  return sumTerms(build, terms);
}

function productTerm(build: NetBuilder, x: Wire, y: Wire): Term | undefined {
  const [cx, cy] = [build.cell(x).net, build.cell(y).net];
  if (cy.kind === "const") return constantProduct(build, x, cy.value);
  if (cx.kind === "const") return constantProduct(build, y, cx.value);
  return { wire: product(build, x, y), shift: 0, sign: 1 };
}
