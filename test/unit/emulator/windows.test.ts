import fc from "fast-check";
import { describe, it } from "vitest";
import type { Kernel } from "../../../src/ir/index.ts";
import {
  applyOrSkip,
  constants,
  expectExact,
  inputOf,
  integer,
  intervals,
  outputWithHalf,
  sampleCounts,
  seeds,
} from "./arbitraries.ts";
import { type Handle, Network } from "./networks.ts";

/** Places and steps of windows over a line of so many elements. */
const windows = fc
  .record({
    places: fc.integer({ min: 1, max: 5 }),
    stride: fc.integer({ min: 0, max: 3 }),
    steps: fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 6 }),
  })
  .map(({ places, stride, steps }) => ({
    rows: Int32Array.from({ length: places }, (_, i) => i * stride),
    columns: Int32Array.from(steps),
    size: (places - 1) * stride + Math.max(...steps) + 1,
  }));

describe("gathers with filling", () => {
  it("are exact for any index and fill, with operators behind them", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }).chain((size) =>
          fc.record({
            of: intervals(size),
            index: fc.array(fc.integer({ min: -1, max: size - 1 }), {
              minLength: 1,
              maxLength: 12,
            }),
          }),
        ),
        fc.option(integer(20), { nil: undefined }),
        fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 12, maxLength: 12 }),
        sampleCounts,
        seeds,
        ({ of, index }, fill, added, count, seed) => {
          const network = new Network();
          const x = inputOf(network, of);
          const kernel: Kernel = {
            kind: "gather",
            index: Int32Array.from(index),
            ...(fill !== undefined && { fill }),
          };
          const y = applyOrSkip(network, kernel, [x], index.length);
          const c = network.constant(added.slice(0, index.length));
          const sum: Kernel = {
            kind: "binary",
            fn: "add",
            a: { arg: 0, shift: 0 },
            b: { arg: 1, shift: 0 },
          };
          outputWithHalf(network, applyOrSkip(network, sum, [y, c], index.length));
          expectExact(network, [x], count, seed);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe("reductions over windows", () => {
  it("are exact for any places and steps", () => {
    fc.assert(
      fc.property(
        windows.chain(({ rows, columns, size }) =>
          fc.record({
            of: intervals(size),
            rows: fc.constant(rows),
            columns: fc.constant(columns),
          }),
        ),
        fc.constantFrom("sum", "max", "min", "argmax", "argmin"),
        sampleCounts,
        seeds,
        ({ of, rows, columns }, fn, count, seed) => {
          const network = new Network();
          const x = inputOf(network, of);
          const kernel = {
            kind: "reduce",
            fn: fn as "sum",
            outer: rows.length,
            length: columns.length,
            inner: 1,
            windows: { starts: rows, steps: columns },
          } as const;
          outputWithHalf(network, applyOrSkip(network, kernel, [x], rows.length));
          expectExact(network, [x], count, seed);
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** A sequence as convolutions have it: padding, then a grouped product of windows with results side by side. */
const convolution = fc
  .record({
    line: fc.integer({ min: 1, max: 5 }),
    begin: fc.nat({ max: 2 }),
    end: fc.nat({ max: 2 }),
    groups: fc.integer({ min: 1, max: 3 }),
    taps: fc.integer({ min: 1, max: 3 }),
    n: fc.integer({ min: 1, max: 3 }),
    hasBias: fc.boolean(),
  })
  .filter(({ line, begin, end, taps }) => line + begin + end >= taps)
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      of: intervals(shape.line * shape.groups, fc.constantFrom(4, 8, 12, 16, 24)),
      weights: constants(shape.groups * shape.taps * shape.n, fc.constantFrom(2, 4, 8, 16, 20)),
      bias: constants(shape.groups * shape.n, fc.constant(12)),
    }),
  );

describe("sequences", () => {
  it("of padding and a grouped product of windows are exact", () => {
    fc.assert(
      fc.property(convolution, sampleCounts, seeds, ({ shape, of, weights, bias }, count, seed) => {
        const { line, begin, end, groups, taps, n, hasBias } = shape;
        const network = new Network();
        const x = inputOf(network, of);
        const w = network.constant(weights);
        const args: Handle[] = [x, w, ...(hasBias ? [network.constant(bias)] : [])];
        const padded = line + begin + end;
        const index = Int32Array.from({ length: padded * groups }, (_, i) => {
          const place = Math.floor(i / groups) - begin;
          return place < 0 || place >= line ? -1 : place * groups + (i % groups);
        });
        const m = padded - taps + 1;
        const perGroup = (stride: number) =>
          Int32Array.from({ length: groups }, (_, g) => g * stride);
        const ends = of.flat();
        const [lo, hi] = [0n, ...ends].reduce(
          ([a, b], e) => [e < a ? e : a, e > b ? e : b],
          [0n, 0n],
        );
        const kernel: Kernel = {
          kind: "sequence",
          steps: [
            { kernel: { kind: "gather", index }, args: [0], size: index.length, lo, hi },
            {
              kernel: {
                kind: "matmul",
                groups,
                m,
                k: taps,
                n,
                a: {
                  offset: perGroup(1),
                  rowStride: 0,
                  columnStride: 0,
                  rows: Int32Array.from({ length: m }, (_, i) => i * groups),
                  columns: Int32Array.from({ length: taps }, (_, i) => i * groups),
                },
                b: { offset: perGroup(taps * n), rowStride: n, columnStride: 1 },
                out: { offset: perGroup(n), rowStride: groups * n, columnStride: 1 },
                ...(hasBias && { biasShift: 2, biasOffset: perGroup(n) }),
              },
              args: args.map((_, i) => (i === 0 ? args.length : i)),
              size: m * groups * n,
              // The interval of all 64 bits is always right.
              lo: -(1n << 63n),
              hi: (1n << 63n) - 1n,
            },
          ],
        };
        const y = applyOrSkip(network, kernel, args, m * groups * n);
        const clamped: Kernel = { kind: "clamp", lo: -1000n, hi: 100000n };
        outputWithHalf(network, network.apply(clamped, [y], y.size));
        expectExact(network, [x], count, seed);
      }),
      { numRuns: 200 },
    );
  });
});
