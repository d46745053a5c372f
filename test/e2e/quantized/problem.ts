import type { Random } from "../../../src/base/index.ts";
import { type Shape, sizeOf } from "../../../src/tensor/index.ts";
import { type CodeType, codeTypes, type ModelWriter } from "../../support/model-writer.ts";
import type { MadeInput, MadeModel, Optimization } from "./compare.ts";

/** One quantized operator in one kind of formats: models of it, as many as there are seeds. */
export interface OperatorProblem {
  readonly operator: string;
  /** Of this problem alone. */
  readonly formats: string;
  /** Formats of all that share a row of the table in the documentation. */
  readonly row: string;
  readonly seeds: number;
  readonly make: (random: Random, seed: number) => MadeModel;
  /** Set where the model brings what must come out, and ONNX Runtime is not asked. */
  readonly isOwnReference?: true;
  /** How ONNX Runtime is told to run it. Default: as it is, without rewriting. */
  readonly optimization?: Optimization;
  /** Share of the codes that may lie so near a tie that the last digits of float32 decide. Default: none. */
  readonly nearTies?: number;
}

export const pick = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)];

/** Scales as training gives them, and round ones, for which ties are many. */
export function scaleOf(random: Random, low = 0.004, high = 0.06): number {
  if (random.below(3) > 0) return Math.fround(low + (high - low) * random.uniform());
  return Math.fround(
    pick(random, [1 / 256, 1 / 255, 1 / 128, 1 / 127, 1 / 64, 1 / 32, 0.05, 0.01]),
  );
}

export const codeOf = (random: Random, type: CodeType): number => {
  const { lo, hi } = codeTypes[type];
  return lo + random.below(hi - lo + 1);
};

/** A zero point as exporters choose it: an end, the middle, or anywhere. */
export function zeroOf(random: Random, type: CodeType): number {
  const { lo, hi } = codeTypes[type];
  return pick(random, [lo, Math.ceil((lo + hi) / 2), codeOf(random, type)]);
}

export const codesOf = (random: Random, type: CodeType, count: number): number[] =>
  Array.from({ length: count }, () => codeOf(random, type));

/** A scale and a zero point of a type as two inputs. */
export function scalingOf(
  writer: ModelWriter,
  random: Random,
  type: CodeType,
): readonly [string, string] {
  return [writer.floats([scaleOf(random)]), writer.codes(type, [zeroOf(random, type)])];
}

/** An input that takes every code of its type. */
export function everyCode(
  writer: ModelWriter,
  name: string,
  type: CodeType,
  shape: (count: number) => Shape = (count) => [1, count],
): MadeInput {
  const { lo, hi } = codeTypes[type];
  const count = hi - lo + 1;
  const own = shape(count);
  writer.input(name, own, type);
  return { name, shape: own, type, data: Float64Array.from({ length: count }, (_, i) => lo + i) };
}

/** An input of random codes; some inferences have them all near one end, where results saturate. */
export function randomCodes(
  writer: ModelWriter,
  random: Random,
  name: string,
  type: CodeType,
  shape: Shape,
  count: number,
): MadeInput {
  writer.input(name, shape, type);
  const size = sizeOf(shape);
  const { lo, hi } = codeTypes[type];
  const data = new Float64Array(size * count);
  for (let i = 0; i < count; i++) {
    const reach = Math.min(hi - lo, pick(random, [hi - lo, hi - lo, 6, 40]));
    const from = lo + random.below(hi - lo - reach + 1);
    for (let k = 0; k < size; k++) data[i * size + k] = from + random.below(reach + 1);
  }
  return { name, shape, type, data };
}

export function randomReals(
  writer: ModelWriter,
  random: Random,
  name: string,
  shape: Shape,
  count: number,
  deviation = 2,
): MadeInput {
  writer.input(name, shape, "float32");
  const data = Float64Array.from({ length: sizeOf(shape) * count }, () =>
    Math.fround(deviation * random.normal()),
  );
  return { name, shape, type: "float32", data };
}
