import { fail, Random } from "../base/index.ts";
import { type Graph, inputsOf, type ValueId } from "../ir/index.ts";
import {
  makeTensor,
  matchSamples,
  readArrays,
  type Samples,
  sizeOf,
  type Tensor,
} from "../tensor/index.ts";

/** Inferences of generated data, where the user gives none; and numbers of them all, at most. */
const mostGenerated = 1024;
const mostNumbers = 2 ** 24;
/** Numbers of one inference, at most: beyond pictures of 8192 by 4096 pixels. */
const mostInputs = 2 ** 25;
const generatedSeed = 2026;

/** Real inputs of a network, and where they come from in a user's words. */
export interface CalibrationData {
  readonly samples: Samples;
  readonly source: string;
  /** They say nothing of what the user's will be like, but for the shapes. */
  readonly isGenerated?: boolean;
}

/**
 * The user's data, or seeded standard-normal numbers where there are none. Several files are taken one
 * after the other.
 *
 * @throws N2F_DESIGN_SIZE for inputs that are too large, N2F_FILE_READ, N2F_DATA_FORMAT, N2F_DATA_SHAPE
 */
export function loadCalibrationData(graph: Graph, files: readonly string[]): CalibrationData {
  const slots = inputsOf(graph).map(({ id, shape }) => ({ name: id as string, shape }));
  const perInference = slots.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  if (perInference > mostInputs) {
    fail("N2F_DESIGN_SIZE", `one inference takes ${perInference} numbers`, {
      at: slots.map(({ name }) => name).join(", "),
      hint: `A design takes up to ${mostInputs}; check the shapes of the inputs, and give parts of the data one after the other.`,
    });
  }
  if (files.length > 0) {
    const parts = files.map((file) => matchSamples(readArrays(file), slots, file));
    const count = parts.reduce((sum, part) => sum + part.count, 0);
    const data = slots.map(({ name }): [string, Float64Array] => {
      const pieces = parts.map((part) => part.data.get(name) as Float64Array);
      const all = new Float64Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
      let at = 0;
      for (const piece of pieces) {
        all.set(piece, at);
        at += piece.length;
      }
      return [name, all];
    });
    return { samples: { count, data: new Map(data) }, source: files.join(", ") };
  }
  const random = new Random(generatedSeed);
  const fitting = Math.floor(mostNumbers / Math.max(1, perInference));
  const generatedCount = Math.max(1, Math.min(mostGenerated, fitting));
  const data = slots.map(({ name, shape }): [string, Float64Array] => {
    const numbers = new Float64Array(generatedCount * sizeOf(shape));
    // Numbers that float32 holds, so that every float reference sees the same inputs.
    for (let i = 0; i < numbers.length; i++) numbers[i] = Math.fround(random.normal());
    return [name, numbers];
  });
  return {
    samples: { count: generatedCount, data: new Map(data) },
    source: `standard-normal numbers, seed ${generatedSeed}`,
    isGenerated: true,
  };
}

/** The inputs of one inference, by value. */
export function feedOf(graph: Graph, samples: Samples, at: number): Map<ValueId, Tensor> {
  return new Map(
    inputsOf(graph).map(({ id, shape, dtype }) => {
      const size = sizeOf(shape);
      const all = samples.data.get(id) as Float64Array;
      return [id, makeTensor(shape, all.slice(at * size, (at + 1) * size), dtype)];
    }),
  );
}
