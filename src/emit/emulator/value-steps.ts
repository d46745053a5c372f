import type { DataPool } from "./data-pool.ts";
import type { Place } from "./walk.ts";
import { type FunctionBuilder, i32 } from "./wasm/index.ts";

/** Goes along the k of a row: `steps` are distances in elements from its first one. */
export interface StepLoop {
  /**
   * Writes a loop that comes to `width` steps at a time, and a last turn for those left over. The body
   * gets the place of each step.
   */
  emit(
    f: FunctionBuilder,
    start: Place,
    width: number,
    body: (places: readonly Place[]) => void,
  ): void;
}

/** Steps of equal length need no table. */
export function planSteps(pool: DataPool, steps: Int32Array, elementBytes: number): StepLoop {
  const distance = steps.length > 1 ? steps[1] - steps[0] : 0;
  const first = steps.length > 0 ? steps[0] : 0;
  const isUniform =
    distance >= 0 && first >= 0 && steps.every((step, k) => step === first + k * distance);
  return isUniform
    ? uniformLoop(steps.length, first * elementBytes, distance * elementBytes)
    : tableLoop(pool, steps, elementBytes);
}

function uniformLoop(count: number, firstBytes: number, stepBytes: number): StepLoop {
  return {
    emit(f, { pointer, offset }, width, body) {
      const here = f.bind(pointer);
      const turn = (steps: number): void => {
        body(
          Array.from({ length: steps }, (_, i) => ({
            pointer: here,
            offset: offset + firstBytes + i * stepBytes,
          })),
        );
        f.advance(here, steps * stepBytes);
      };
      f.repeat(Math.floor(count / width), () => turn(width));
      if (count % width > 0) turn(count % width);
    },
  };
}

function tableLoop(pool: DataPool, steps: Int32Array, elementBytes: number): StepLoop {
  const table = pool.add(new Uint8Array(steps.map((step) => step * elementBytes).buffer));
  return {
    emit(f, { pointer, offset }, width, body) {
      const entry = f.bind(i32.const(table));
      // Distances may be negative, so they are taken from the element itself.
      const first = f.bind(i32.add(pointer, i32.const(offset)));
      const turn = (count: number): void => {
        body(
          Array.from({ length: count }, (_, i) => ({
            pointer: f.bind(i32.add(first, i32.load(entry, 4 * i))),
            offset: 0,
          })),
        );
        f.advance(entry, 4 * count);
      };
      f.repeat(Math.floor(steps.length / width), () => turn(width));
      if (steps.length % width > 0) turn(steps.length % width);
    },
  };
}
