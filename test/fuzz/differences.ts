import type { Random } from "../../src/base/index.ts";
import type { Plan } from "../../src/compile.ts";
import { evaluate, type Graph, inputsOf, type ValueId } from "../../src/ir/index.ts";
import { ops } from "../../src/ops/index.ts";
import { instantiateEmulator, packSamples } from "../../src/runtime/index.ts";
import { makeTensor, sizeOf, type Tensor } from "../../src/tensor/index.ts";
import { comparePackets, oraclePackets } from "../../src/verify/index.ts";

export type Feed = ReadonlyMap<ValueId, Tensor>;

/**
 * Numbers for the inputs of a graph: of the size that networks have, in float32; integers small, and not negative
 * where the model may have them without a sign.
 */
export function randomFeed(graph: Graph, random: Random): Feed {
  const number = (input: ReturnType<typeof inputsOf>[number]): number => {
    if (input.dtype === "bool") return random.below(2);
    if (input.dtype === "int") return random.below(8) - (input.integers?.signed === true ? 3 : 0);
    // Zeros and whole numbers are where branches meet.
    if (random.below(8) === 0) return random.below(5) - 2;
    return Math.fround(random.normal());
  };
  return new Map(
    inputsOf(graph).map((input) => {
      const data = Array.from({ length: sizeOf(input.shape) }, () => number(input));
      return [input.id, makeTensor(input.shape, data, input.dtype)];
    }),
  );
}

/** What a graph gives for a feed, in float, and the greatest finite magnitude on the way. */
export function floatOutputs(
  graph: Graph,
  feed: Feed,
): { readonly outputs: readonly Tensor[]; readonly magnitude: number } {
  const values = evaluate(graph, ops, feed);
  let magnitude = 0;
  for (const { data } of values.values()) {
    for (const y of data) {
      if (Number.isFinite(y) && Math.abs(y) > magnitude) magnitude = Math.abs(y);
    }
  }
  return { outputs: graph.outputs.map(({ value }) => values.get(value) as Tensor), magnitude };
}

/** Integers of 8 bits and more that have wrapped around differ by a multiple of this. */
const wrap = 256;

/**
 * How outputs differ from a reference, in words; nothing where they do not. Elements that the reference has no
 * finite number for are left out: no format has them. Integers are exact here, where a reference may wrap around.
 */
export function tensorDifference(
  actual: readonly Tensor[],
  reference: readonly Tensor[],
  allowed: number,
): string | undefined {
  for (const [k, want] of reference.entries()) {
    const got = actual[k];
    if (got.shape.join() !== want.shape.join()) {
      return `output ${k} has the shape [${got.shape}], not [${want.shape}]`;
    }
    if (got.dtype !== want.dtype) return `output ${k} is ${got.dtype}, not ${want.dtype}`;
    const i = want.data.findIndex((y, at) => {
      const difference = got.data[at] - y;
      if (want.dtype === "int" && difference % wrap === 0) return false;
      return Number.isFinite(y) && !(Math.abs(difference) <= allowed);
    });
    if (i >= 0) return `element ${i} of output ${k} is ${got.data[i]}, not ${want.data[i]}`;
  }
  return undefined;
}

/** Inferences on which the emulator and the oracle are compared. */
const inferences = 3;

/** Where the emulator's codes are not those of the integer graph. */
export function emulatorDifference(plan: Plan): string | undefined {
  const { inputs, outputs, emulator, quantized, data } = plan;
  const count = Math.min(inferences, data.samples.count);
  const packets = packSamples(data.samples, inputs, count);
  const actual = instantiateEmulator(plan.name, emulator, { inputs, outputs }).run(packets, count);
  const expected = oraclePackets(quantized.graph, ops, packets, count, inputs, outputs);
  const { first } = comparePackets(outputs, expected, actual, count);
  if (first === undefined) return undefined;
  const place = `element ${first.element} of ${first.output}`;
  return `${place} is ${first.actual} in the emulator, not ${first.expected}`;
}
