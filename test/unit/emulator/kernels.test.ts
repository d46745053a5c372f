import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { overflows, roundings } from "../../../src/fixed/index.ts";
import type {
  BinaryKernel,
  Kernel,
  ReduceKernel,
  RequantizeKernel,
} from "../../../src/ir/index.ts";
import {
  applyOrSkip,
  codeBits,
  constants,
  expectExact,
  indexMap,
  inputOf,
  integer,
  intervals,
  outputWithHalf,
  sampleCounts,
  seeds,
} from "./arbitraries.ts";
import { type Handle, type Interval, Network } from "./networks.ts";
import { Instance } from "./run.ts";

const runs = { numRuns: 200 };

/** A network of one kernel on one input. */
function expectUnary(
  kernel: Kernel,
  of: readonly Interval[],
  size: number,
  count: number,
  seed: number,
): void {
  const network = new Network();
  const x = inputOf(network, of);
  outputWithHalf(network, applyOrSkip(network, kernel, [x], size));
  expectExact(network, [x], count, seed);
}

const requantizes: fc.Arbitrary<RequantizeKernel> = fc
  .record({
    shift: fc.oneof(fc.integer({ min: -8, max: 33 }), fc.integer({ min: -70, max: 70 })),
    rounding: fc.constantFrom(...roundings),
    overflow: fc.constantFrom(...overflows),
    signed: fc.boolean(),
    bits: codeBits,
  })
  .map(({ bits, ...rest }) => ({
    kind: "requantize",
    ...rest,
    width: rest.signed ? bits : Math.min(bits, 63),
  }));

const binaryFns = ["add", "sub", "mul", "max", "min"] as const satisfies BinaryKernel["fn"][];

describe("kernels, one at a time", () => {
  it("requantizes by every rounding and overflow, to both sides", () => {
    fc.assert(
      fc.property(requantizes, intervals(3), sampleCounts, seeds, (kernel, of, count, seed) => {
        expectUnary(kernel, of, 3, count, seed);
      }),
      { numRuns: 600 },
    );
  });

  it("requantizes exactly at half steps and the ends of words", () => {
    for (const rounding of roundings) {
      for (const overflow of overflows) {
        for (const [lo, hi] of [
          [-(1n << 31n), (1n << 31n) - 1n],
          [-(1n << 63n), (1n << 63n) - 1n],
          [-24n, 24n],
        ]) {
          for (const shift of [1, 2, 3, 30, 31, 32, 33, 62, 63, 64, 65]) {
            const kernel: Kernel = {
              kind: "requantize",
              shift,
              rounding,
              overflow,
              signed: true,
              width: 4,
            };
            const network = new Network();
            const x = inputOf(network, [[lo, hi]]);
            outputWithHalf(network, network.apply(kernel, [x], 1));
            expectExact(network, [x], 41, shift);
          }
        }
      }
    }
  });

  it("clamps", () => {
    fc.assert(
      fc.property(
        integer(66),
        integer(66),
        intervals(3),
        sampleCounts,
        seeds,
        (lo, hi, of, count, seed) => {
          expectUnary({ kind: "clamp", lo, hi }, of, 3, count, seed);
        },
      ),
      runs,
    );
  });

  it("multiplies by a slope below zero", () => {
    fc.assert(
      fc.property(
        fc.oneof(constants(3), constants(1)),
        fc.oneof(fc.constant(0), fc.nat(12), fc.nat(66)),
        intervals(3),
        sampleCounts,
        seeds,
        (slope, shift, of, count, seed) => {
          const kernel: Kernel = { kind: "slope", slope: Float64Array.from(slope), shift };
          expectUnary(kernel, of, 3, count, seed);
        },
      ),
      runs,
    );
  });

  it("looks up tables", () => {
    const tables = fc.integer({ min: 1, max: 40 }).chain((size) =>
      fc.record({
        lo: integer(45).map(Number),
        values: constants(size),
      }),
    );
    fc.assert(
      fc.property(tables, sampleCounts, seeds, ({ lo, values }, count, seed) => {
        const ends: Interval = [BigInt(lo), BigInt(lo + values.length - 1)];
        const kernel: Kernel = { kind: "table", lo, values: Float64Array.from(values) };
        expectUnary(kernel, [ends, [ends[0], ends[0]], ends], 3, count, seed);
      }),
      runs,
    );
  });

  it("scales by a multiplier and a shift, for each channel", () => {
    const scales = fc.record({
      channels: fc.constantFrom(1, 2, 3),
      inner: fc.constantFrom(1, 2),
      m: constants(3, fc.integer({ min: 1, max: 31 })),
      a: constants(3, fc.integer({ min: 1, max: 45 })),
      shift: fc.nat(40),
      rounding: fc.constantFrom("TRN" as const, "RND_CONV" as const),
      lo: integer(20),
      hi: integer(20),
      offset: fc.oneof(fc.constant(0n), integer(9)),
    });
    fc.assert(
      fc.property(
        scales,
        intervals(6, fc.integer({ min: 1, max: 30 })),
        sampleCounts,
        seeds,
        ({ channels, m, a, lo, hi, ...rest }, of, count, seed) => {
          const own = (numbers: number[]) => Float64Array.from(numbers.slice(0, channels));
          const [low, high] = lo < hi ? [lo, hi] : [hi, lo];
          const kernel: Kernel = {
            kind: "scale",
            channels,
            ...rest,
            m: own(m),
            a: own(a),
            lo: low,
            hi: high,
          };
          expectUnary(kernel, of, 6, count, seed);
        },
      ),
      runs,
    );
  });

  it("counts thresholds, rising and falling", () => {
    const thresholdsOf = (count: number, channels: number) =>
      fc.array(fc.array(integer(40), { minLength: count, maxLength: count }), {
        minLength: channels,
        maxLength: channels,
      });
    const kernels = fc
      .tuple(fc.constantFrom(0, 1, 3, 8, 9, 20), fc.constantFrom(1, 2))
      .chain(([count, channels]) =>
        fc.record({
          count: fc.constant(count),
          channels: fc.constant(channels),
          inner: fc.constantFrom(1, 3),
          thresholds: fc.oneof(thresholdsOf(count, channels)),
          base: constants(channels, fc.integer({ min: 1, max: 20 })),
          falls: fc.array(fc.boolean(), { minLength: channels, maxLength: channels }),
        }),
      );
    fc.assert(
      fc.property(
        kernels,
        intervals(6, fc.integer({ min: 1, max: 62 })),
        sampleCounts,
        seeds,
        ({ thresholds, base, ...rest }, of, count, seed) => {
          const sorted = thresholds.flatMap((own) => own.toSorted((a, b) => Number(a - b)));
          const kernel: Kernel = {
            kind: "threshold",
            ...rest,
            base: Float64Array.from(base),
            thresholds: BigInt64Array.from(sorted),
          };
          expectUnary(kernel, of, 6, count, seed);
        },
      ),
      runs,
    );
  });

  it("reduces along an axis", () => {
    const reduces = fc
      .record({
        fn: fc.constantFrom<ReduceKernel["fn"][]>("sum", "max", "min", "argmax", "argmin"),
        outer: fc.integer({ min: 1, max: 3 }),
        length: fc.integer({ min: 1, max: 5 }),
        inner: fc.integer({ min: 1, max: 3 }),
        last: fc.boolean(),
      })
      .chain((shape) =>
        fc.tuple(
          fc.constant(shape),
          // Few bits make equals, of which argmax must take the right one.
          fc.oneof(
            intervals(shape.outer * shape.length * shape.inner),
            intervals(shape.outer * shape.length * shape.inner, fc.constant(2)),
          ),
        ),
      );
    fc.assert(
      fc.property(reduces, sampleCounts, seeds, ([shape, of], count, seed) => {
        const kernel: Kernel = { kind: "reduce", ...shape };
        expectUnary(kernel, of, shape.outer * shape.inner, count, seed);
      }),
      runs,
    );
  });

  it("joins two operands, in memory or constant, through index maps and shifts", () => {
    const side = (size: number) =>
      fc.integer({ min: 1, max: 5 }).chain((argSize) =>
        fc.record({
          index: argSize === size ? fc.option(indexMap(size, argSize)) : indexMap(size, argSize),
          shift: fc.oneof(fc.constant(0), fc.nat(8), fc.nat(66)),
          of: fc.oneof(intervals(argSize), constants(argSize)),
        }),
      );
    const cases = fc.integer({ min: 1, max: 6 }).chain((size) =>
      fc.record({
        size: fc.constant(size),
        fn: fc.constantFrom(...binaryFns),
        a: side(size),
        b: side(size),
      }),
    );
    fc.assert(
      fc.property(cases, sampleCounts, seeds, ({ size, fn, a, b }, count, seed) => {
        const network = new Network();
        const inputs: Handle[] = [];
        const [x, y] = [a, b].map(({ of }) => {
          if (typeof of[0] === "number") return network.constant(of as number[]);
          const input = inputOf(network, of as Interval[]);
          inputs.push(input);
          return input;
        });
        fc.pre(inputs.length > 0);
        const operand = (arg: number, { shift, index }: typeof a) => ({
          arg,
          shift,
          ...(index !== null && { index }),
        });
        const kernel: Kernel = { kind: "binary", fn, a: operand(0, a), b: operand(1, b) };
        outputWithHalf(network, applyOrSkip(network, kernel, [x, y], size));
        expectExact(network, inputs, count, seed);
      }),
      { numRuns: 400 },
    );
  });

  it("gathers from one value or several, constants among them", () => {
    const cases = fc
      .tuple(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
      )
      .chain(([size, first, second]) =>
        fc.record({
          size: fc.constant(size),
          of: fc.tuple(intervals(first), intervals(second), constants(2)),
          picks: fc.array(
            fc.oneof(
              fc.tuple(fc.constant(0), fc.nat(first - 1)),
              fc.tuple(fc.constant(1), fc.nat(second - 1)),
              fc.tuple(fc.constant(2), fc.nat(1)),
            ),
            { minLength: size, maxLength: size },
          ),
          isJoin: fc.boolean(),
        }),
      );
    fc.assert(
      fc.property(cases, sampleCounts, seeds, ({ size, of, picks, isJoin }, count, seed) => {
        const network = new Network();
        const [x, y] = [inputOf(network, of[0]), inputOf(network, of[1])];
        const index = Int32Array.from(picks, ([source, i]) => (isJoin ? i : source === 0 ? i : 0));
        const source = Int32Array.from(picks, ([s]) => s);
        const kernel: Kernel = { kind: "gather", index, ...(isJoin && { source }) };
        network.output(network.apply(kernel, isJoin ? [x, y, network.constant(of[2])] : [x], size));
        expectExact(network, [x, y], count, seed);
      }),
      runs,
    );
  });
});

describe("kernels one after the other", () => {
  const steps = fc.array(
    fc.oneof(
      requantizes,
      fc.record({ kind: fc.constant("clamp" as const), lo: integer(40), hi: integer(40) }),
      fc.record({ kind: fc.constant("slope" as const), by: constants(4), shift: fc.nat(3) }),
      fc.record({
        kind: fc.constant("binary" as const),
        fn: fc.constantFrom(...binaryFns),
        with: constants(4, fc.integer({ min: 1, max: 30 })),
        isUniform: fc.boolean(),
        isRight: fc.boolean(),
      }),
      fc.record({ kind: fc.constant("reshape" as const), keep: fc.boolean() }),
      fc.record({ kind: fc.constant("twice" as const) }),
    ),
    { minLength: 1, maxLength: 6 },
  );

  it("stay exact in whatever way they are joined", () => {
    fc.assert(
      fc.property(steps, intervals(4), sampleCounts, seeds, (list, of, count, seed) => {
        const network = new Network();
        const input = inputOf(network, of);
        let x = input;
        for (const step of list) {
          if (step.kind === "slope") {
            const slope = Float64Array.from(step.by);
            x = applyOrSkip(network, { kind: "slope", slope, shift: step.shift }, [x], 4);
          } else if (step.kind === "binary") {
            const other = network.constant(step.isUniform ? [step.with[0]] : step.with);
            const constant = {
              arg: 1,
              shift: 0,
              ...(step.isUniform && { index: new Int32Array(4) }),
            };
            const own = { arg: 0, shift: 1 };
            const [a, b] = step.isRight ? [constant, own] : [own, constant];
            x = applyOrSkip(network, { kind: "binary", fn: step.fn, a, b }, [x, other], 4);
          } else if (step.kind === "reshape") {
            const half = network.apply({ kind: "gather" }, [x], 4);
            if (step.keep) network.output(half);
            x = half;
          } else if (step.kind === "twice") {
            const side = { shift: 0, arg: 0 };
            const kernel: Kernel = { kind: "binary", fn: "add", a: side, b: { ...side, arg: 1 } };
            x = applyOrSkip(network, kernel, [x, x], 4);
          } else {
            x = applyOrSkip(network, step, [x], 4);
          }
        }
        outputWithHalf(network, x);
        expectExact(network, [input], count, seed);
      }),
      { numRuns: 400 },
    );
  });

  it("reuse memory of values that are no longer needed", () => {
    const network = new Network();
    const input = network.input(2000, { signed: true, width: 8, frac: 0 });
    let x = input;
    const reverse = Int32Array.from({ length: 2000 }, (_, i) => 1999 - i);
    for (let layer = 0; layer < 20; layer++) {
      x = network.apply({ kind: "gather", index: reverse }, [x], 2000);
    }
    network.output(x);
    expectExact(network, [input], 5, 1);
    // Two values of 2000 elements for 16 samples, packets and indices: far less than twenty of them.
    const { memoryBytes } = new Instance(network.emit());
    expect(memoryBytes).toBeLessThan(20 * 2000 * 16 * 4);
  });
});
