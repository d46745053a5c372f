import type { ValueId } from "../../ir/index.ts";
import { makeCoefficient } from "./coefficient.ts";
import type { DataPool } from "./data-pool.ts";
import type { Buffer, Stored } from "./layout.ts";
import { identityIndex } from "./nest.ts";
import type { PointwiseContext } from "./pointwise.ts";
import { type Source, storedStream } from "./source.ts";
import type { FunctionBuilder } from "./wasm/index.ts";

/** What the planning of every step knows. */
export interface StepContext {
  readonly pool: DataPool;
  /** Samples of a block: the distance between elements in memory. */
  readonly stride: number;
  readonly constants: ReadonlyMap<ValueId, Float64Array>;
  /** Where a value stands. */
  stored(id: ValueId): Stored;
  /** Memory of the step's own. */
  readonly scratch?: Buffer;
}

/** Writes the code of a step for so many vectors of samples; data was placed when it was planned. */
export type StepCode = (f: FunctionBuilder, vectors: number) => void;

/** Elements of a value, which may be constant, in the order of an index. */
export function sourceOf(
  context: StepContext,
  id: ValueId,
  index: Int32Array | undefined,
  size: number,
): Source {
  const codes = context.constants.get(id);
  if (codes === undefined) {
    return storedStream(context.stored(id), context.stride, index ?? identityIndex(size));
  }
  const own = index === undefined ? codes : Float64Array.from(index, (i) => codes[i]);
  return makeCoefficient(context.pool, { codes: own, shift: 0 });
}

/** For loops that go over the elements one by one, or over those at `which` alone, of `size`. */
export function elementContext(
  { pool, constants }: StepContext,
  which?: Int32Array,
  size = which?.length,
): PointwiseContext {
  const isPart = which !== undefined && which.length !== size;
  return {
    pool,
    constants,
    coefficient: (scaled) =>
      makeCoefficient(
        pool,
        isPart ? { ...scaled, codes: Float64Array.from(which, (i) => scaled.codes[i]) } : scaled,
      ),
  };
}
