import fc from "fast-check";
import { expect } from "vitest";
import { Nn2fpgaError, Random } from "../../../src/base/index.ts";
import { type Kernel, Ranges } from "../../../src/ir/index.ts";
import { webAssembly } from "../../../src/runtime/devices/emulator-webassembly.ts";
import { formatOf, type Handle, type Interval, type Network } from "./networks.ts";
import { emulate, Instance } from "./run.ts";

/** Integers of every length up to some bits, powers of two and their neighbours more often. */
export function integer(bits: number): fc.Arbitrary<bigint> {
  const most = (1n << BigInt(bits - 1)) - 1n;
  return fc
    .tuple(
      fc.integer({ min: 0, max: bits - 1 }),
      fc.constantFrom(-1n, 0n, 1n, undefined),
      fc.bigInt({ min: 0n, max: most }),
      fc.boolean(),
    )
    .map(([length, near, any, isNegative]) => {
      const size =
        near === undefined ? any >> BigInt(bits - 1 - length) : (1n << BigInt(length)) + near;
      const code = isNegative ? -size : size;
      return code < -most - 1n ? -most - 1n : code > most ? most : code;
    });
}

/** Intervals of codes that fit some bits. */
export function interval(bits: number): fc.Arbitrary<Interval> {
  return fc
    .tuple(integer(bits), integer(bits))
    .map(([a, b]): Interval => (a < b ? [a, b] : [b, a]));
}

/** Bits of codes, with the sizes at which code changes its ways. */
export const codeBits = fc.oneof(
  fc.constantFrom(2, 8, 16, 17, 31, 32, 33, 40, 63, 64),
  fc.integer({ min: 2, max: 64 }),
);

/** One interval for each element. */
export const intervals = (size: number, bits: fc.Arbitrary<number> = codeBits) =>
  bits.chain((b) => fc.array(interval(b), { minLength: size, maxLength: size }));

/** Constant codes; a double holds them. */
export const constants = (
  size: number,
  bits: fc.Arbitrary<number> = fc.integer({ min: 1, max: 53 }),
) => bits.chain((b) => fc.array(integer(b).map(Number), { minLength: size, maxLength: size }));

/** A table of positions in an argument, or none. */
export const indexMap = (size: number, argSize: number) =>
  fc
    .array(fc.nat(argSize - 1), { minLength: size, maxLength: size })
    .map((i) => Int32Array.from(i));

/** Samples of a run: one, some that do not fill vectors or blocks, and more than one block. */
export const sampleCounts = fc.oneof(
  fc.integer({ min: 1, max: 9 }),
  fc.integer({ min: 1, max: 41 }),
);

export const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

/** An input whose elements have intervals of their own. */
export function inputOf(network: Network, of: readonly Interval[]): Handle {
  const ranges = Ranges.each(of.length, (i) => of[i]);
  return network.input(of.length, formatOf(ranges.hull()), ranges);
}

/** Applies a kernel, or gives up on the example where its result would not fit 64 bits. */
export function applyOrSkip(
  network: Network,
  kernel: Kernel,
  args: readonly Handle[],
  size: number,
): Handle {
  try {
    return network.apply(kernel, args, size);
  } catch (error) {
    if (error instanceof Nn2fpgaError) fc.pre(false);
    throw error;
  }
}

/** Random samples of a network's inputs, the ends of the intervals more often. */
export function drawSamples(inputs: readonly Handle[], count: number, seed: number): bigint[][][] {
  const random = new Random(seed);
  const draw = (lo: bigint, hi: bigint): bigint => {
    const way = random.below(4);
    return way === 0 ? lo : way === 1 ? hi : random.bigintBetween(lo, hi);
  };
  return Array.from({ length: count }, () =>
    inputs.map(({ size, ranges }) =>
      Array.from({ length: size }, (_, i) => draw(ranges.lo(i), ranges.hi(i))),
    ),
  );
}

/** Gives a value, and its half: what stands above the code's bits in memory must be right as well. */
export function outputWithHalf(network: Network, value: Handle): void {
  network.output(value);
  const kernel: Kernel = {
    kind: "requantize",
    shift: 1,
    rounding: "TRN",
    overflow: "SAT",
    signed: true,
    width: 64,
  };
  network.output(network.apply(kernel, [value], value.size));
}

/** Holds the emulator of a network against the interpreter. */
export function expectExact(
  network: Network,
  inputs: readonly Handle[],
  count: number,
  seed: number,
): void {
  const binary = network.emit();
  expect(webAssembly.validate(binary)).toBe(true);
  const instance = new Instance(binary);
  const samples = drawSamples(inputs, Math.min(count, instance.batch), seed);
  expect(emulate(network, instance, samples)).toEqual(
    samples.map((sample) => network.interpret(sample)),
  );
}
