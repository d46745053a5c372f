import fc from "fast-check";
import { describe, it } from "vitest";
import { Random } from "../../../src/base/index.ts";
import type { MatmulKernel, MatmulSide } from "../../../src/ir/index.ts";
import {
  applyOrSkip,
  constants,
  expectExact,
  inputOf,
  intervals,
  outputWithHalf,
  sampleCounts,
  seeds,
} from "./arbitraries.ts";
import { type Handle, type Interval, Network } from "./networks.ts";

/** Widths of both sides that lead to each way of multiplying. */
const widths = fc.constantFrom(
  [8, 8],
  [8, 6],
  [16, 8],
  [16, 16],
  [16, 24],
  [18, 12],
  [30, 20],
  [32, 32],
  [40, 20],
  [20, 40],
);

const shapes = fc.record({
  groups: fc.integer({ min: 1, max: 3 }),
  m: fc.integer({ min: 1, max: 4 }),
  k: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 40 })),
  n: fc.integer({ min: 1, max: 9 }),
});

/** Any strides, negative ones too; offsets that keep every element at zero or above. */
function sideOf(groups: number, rows: number, columns: number): fc.Arbitrary<MatmulSide> {
  const stride = fc.integer({ min: -4, max: 4 });
  return fc
    .record({
      rowStride: stride,
      columnStride: stride,
      offset: fc.array(fc.nat(9), { minLength: groups, maxLength: groups }),
    })
    .map(({ rowStride, columnStride, offset }) => {
      const least = Math.min(0, rowStride * (rows - 1)) + Math.min(0, columnStride * (columns - 1));
      return { rowStride, columnStride, offset: Int32Array.from(offset, (o) => o - least) };
    });
}

function sizeOfSide(side: MatmulSide, rows: number, columns: number): number {
  const { offset, rowStride, columnStride } = side;
  return (
    Math.max(...offset) +
    Math.max(0, rowStride * (rows - 1)) +
    Math.max(0, columnStride * (columns - 1)) +
    1
  );
}

const products = shapes.chain(({ groups, m, k, n }) =>
  fc
    .record({ a: sideOf(groups, m, k), b: sideOf(groups, k, n), widths, biasShift: fc.nat(6) })
    .chain(({ a, b, widths: [aBits, bBits], biasShift }) => {
      const argument = (size: number, bits: number) =>
        fc.record({
          codes: constants(size, fc.constant(bits)),
          of: fc.oneof(
            intervals(size, fc.constant(bits)),
            // Unsigned codes of all their bits.
            fc.constant(
              Array.from({ length: size }, (): Interval => [0n, (1n << BigInt(bits)) - 1n]),
            ),
          ),
        });
      return fc.record({
        kernel: fc.constant<MatmulKernel>({ kind: "matmul", groups, m, k, n, a, b }),
        a: argument(sizeOfSide(a, m, k), aBits),
        b: argument(sizeOfSide(b, k, n), bBits),
        bias: fc.option(argument(n, 20)),
        biasShift: fc.constant(biasShift),
        isConstant: fc.constantFrom(
          [false, true, true],
          [false, true, false],
          [true, false, true],
          [false, false, true],
          [true, true, false],
        ),
      });
    }),
);

describe("matrix products", () => {
  it("are exact for any strides, groups, widths, and constant sides", () => {
    fc.assert(
      fc.property(products, sampleCounts, seeds, ({ kernel, a, b, bias, ...rest }, count, seed) => {
        const { isConstant, biasShift } = rest;
        const network = new Network();
        const inputs: Handle[] = [];
        const args = [a, b, ...(bias === null ? [] : [bias])].map(({ codes, of }, i) => {
          if (isConstant[i]) return network.constant(codes);
          const input = inputOf(network, of);
          inputs.push(input);
          return input;
        });
        fc.pre(inputs.length > 0);
        const { groups, m, n } = kernel;
        const whole = bias === null ? kernel : { ...kernel, biasShift };
        outputWithHalf(network, applyOrSkip(network, whole, args, groups * m * n));
        expectExact(network, inputs, count, seed);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ["one matrix of 16 bits, sums of 64", 16, 16, 100, 7],
    ["8-bit weights, sums of 32", 8, 8, 300, 9],
    ["weights beyond 16 bits", 16, 23, 50, 3],
    ["so many weights that they stay in bytes", 8, 8, 600, 230],
  ])("do %s", (_, xBits, wBits, depth, columns) => {
    const random = new Random(depth);
    const network = new Network();
    const full = 1n << BigInt(xBits - 1);
    const x = inputOf(
      network,
      Array.from({ length: depth }, (): Interval => [-full, full - 1n]),
    );
    const reach = 1n << BigInt(wBits - 1);
    const draw = () => Number(random.bigintBetween(-reach, reach - 1n));
    const w = network.constant(Array.from({ length: depth * columns }, draw));
    const kernel = dense(1, depth, columns);
    network.output(network.apply(kernel, [x, w], columns));
    expectExact(network, [x], 21, 3);
  });

  it("keeps a full word of pairs apart from its overflow", () => {
    // -32768 * -32768 * 2 is the one sum of a pair that does not fit 32 bits.
    const network = new Network();
    const x = inputOf(
      network,
      Array.from({ length: 4 }, (): Interval => [-32768n, 32767n]),
    );
    const w = network.constant(new Array<number>(8).fill(-32768));
    network.output(network.apply(dense(1, 4, 2), [x, w], 2));
    expectExact(network, [x], 33, 1);
  });

  it.each([
    ["of both signs", -32768n, 32767n],
    ["below zero", -32768n, 0n],
    ["above zero", 0n, 32767n],
    ["above zero, beyond 16 bits", 0n, 65535n],
  ])("adds up chunks of 32-bit sums, for codes %s", (_, lo, hi) => {
    // 7 pairs of such weights are all that a 32-bit sum takes; the loop is padded to 8.
    const network = new Network();
    const x = inputOf(
      network,
      Array.from({ length: 40 }, (): Interval => [lo, hi]),
    );
    const signs = lo === 0n || hi === 0n ? [1] : [1, -1];
    const w = network.constant(
      Array.from({ length: 80 }, (__, i) => signs[i % signs.length] * 4600),
    );
    outputWithHalf(network, network.apply(dense(1, 40, 2), [x, w], 2));
    expectExact(network, [x], 33, 1);
  });

  it.each([
    ["period 4", (i: number) => i % 4],
    ["runs of 4", (i: number) => Math.floor(i / 4)],
    ["rows", (i: number) => Math.floor(i / 6)],
    ["columns", (i: number) => i % 6],
    ["a half of columns", (i: number) => i % 3],
  ])("adds constants in an order of %s to rows of 6", (_, entry) => {
    const network = new Network();
    const x = inputOf(
      network,
      Array.from({ length: 8 }, (): Interval => [-128n, 127n]),
    );
    const w = network.constant(Array.from({ length: 24 }, (__, i) => i - 12));
    const sum = network.apply(dense(2, 4, 6), [x, w], 12);
    const constant = network.constant([5, -70, 900, 11, 13, 17]);
    const index = Int32Array.from({ length: 12 }, (__, i) => entry(i));
    const side = { arg: 1, shift: 0, index };
    const kernel = { kind: "binary", fn: "add", a: { arg: 0, shift: 0 }, b: side } as const;
    network.output(network.apply(kernel, [sum, constant], 12));
    expectExact(network, [x], 9, 1);
  });

  it("reads windows through the gather that makes them, and shares matrices among rows", () => {
    const windows = fc.record({
      width: fc.integer({ min: 3, max: 6 }),
      channels: fc.integer({ min: 1, max: 3 }),
      kernel: fc.integer({ min: 1, max: 3 }),
      columns: fc.integer({ min: 1, max: 5 }),
      isShuffled: fc.boolean(),
      isReadTwice: fc.boolean(),
      bits: fc.constantFrom(8, 16, 20),
    });
    fc.assert(
      fc.property(windows, sampleCounts, seeds, (shape, count, seed) => {
        const { width, channels, kernel, columns, isShuffled, isReadTwice, bits } = shape;
        const random = new Random(seed);
        const across = width - kernel + 1;
        const depth = kernel * kernel * channels;
        const index = new Int32Array(across * across * depth);
        let at = 0;
        for (let y = 0; y < across; y++) {
          for (let x = 0; x < across; x++) {
            for (let dy = 0; dy < kernel; dy++) {
              for (let dx = 0; dx < kernel; dx++) {
                for (let c = 0; c < channels; c++) {
                  index[at++] = ((y + dy) * width + x + dx) * channels + c;
                }
              }
            }
          }
        }
        // A gather that is no sum of two parts must be copied.
        if (isShuffled) index[random.below(index.length)] = 0;
        const network = new Network();
        const half = 1n << BigInt(bits - 1);
        const image = inputOf(
          network,
          Array.from({ length: width * width * channels }, (): Interval => [-half, half - 1n]),
        );
        const patches = network.apply({ kind: "gather", index }, [image], index.length);
        if (isReadTwice) network.output(patches);
        const weights = network.constant(
          Array.from({ length: depth * columns }, () => random.below(255) - 127),
        );
        const rows = across * across;
        const sum = network.apply(dense(rows, depth, columns), [patches, weights], rows * columns);
        const bias = network.constant(Array.from({ length: columns }, () => random.below(99)));
        const biased = network.apply(
          {
            kind: "binary",
            fn: "add",
            a: { arg: 0, shift: 0 },
            b: {
              arg: 1,
              shift: 2,
              index: Int32Array.from({ length: rows * columns }, (_, i) => i % columns),
            },
          },
          [sum, bias],
          rows * columns,
        );
        const slope = Float64Array.from({ length: rows * columns }, () => random.below(7) - 3);
        network.output(network.apply({ kind: "slope", slope, shift: 1 }, [biased], rows * columns));
        expectExact(network, [image], count, seed);
      }),
      { numRuns: 100 },
    );
  });
});

/** rows x depth times depth x columns, both in row-major order. */
function dense(rows: number, depth: number, columns: number): MatmulKernel {
  return {
    kind: "matmul",
    groups: 1,
    m: rows,
    k: depth,
    n: columns,
    a: { offset: Int32Array.of(0), rowStride: depth, columnStride: 1 },
    b: { offset: Int32Array.of(0), rowStride: columns, columnStride: 1 },
  };
}
