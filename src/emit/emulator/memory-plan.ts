import { assert } from "../../base/index.ts";
import type { InputValue, ValueId } from "../../ir/index.ts";
import { quantOf } from "../../ir/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { hullOf, type Interval, laneFor } from "./interval.ts";
import type { Buffer, Stored } from "./layout.ts";
import { chooseMethod, type ProductMethod } from "./matmul.ts";
import { type Group, type Program, resultOf, type Step } from "./program.ts";
import { scratchPairs } from "./weights.ts";

/** Which values stand in memory, and from when to when; where exactly is decided later. */
export interface MemoryPlan {
  readonly buffers: readonly Buffer[];
  readonly stored: ReadonlyMap<ValueId, Stored>;
  readonly methods: ReadonlyMap<Step, ProductMethod>;
  readonly scratch: ReadonlyMap<Step, Buffer>;
}

/** Steps are moments 1, 2, ...; inputs are there at moment 0, outputs are read after the last step. */
export function planMemory(
  program: Program,
  inputs: readonly InputValue[],
  outputs: readonly ValueId[],
): MemoryPlan {
  const { steps, constants } = program;
  const buffers: Buffer[] = [];
  const stored = new Map<ValueId, Stored>();
  const methods = new Map<Step, ProductMethod>();
  const scratch = new Map<Step, Buffer>();

  const buffer = (size: number, lane: 32 | 64, moment: number): Buffer => {
    const made: Buffer = { size, lane, first: moment, last: moment, address: 0 };
    buffers.push(made);
    return made;
  };
  const store = (id: ValueId, size: number, interval: Interval, moment: number): void => {
    const place = buffer(size, laneFor(interval), moment);
    stored.set(id, { kind: "stored", buffer: place, offset: 0, interval });
  };
  const read = (id: ValueId, moment: number): Stored => {
    const value = stored.get(id);
    assert(value !== undefined, `value ${id} is read before it is made`);
    value.buffer.last = Math.max(value.buffer.last, moment);
    return value;
  };

  for (const input of inputs) {
    if (!program.uses.has(input.id)) continue;
    const [lo, hi] = quantOf(input).ranges.hull();
    store(input.id, sizeOf(input.shape), { lo, hi }, 0);
  }
  steps.forEach((step, i) => {
    const moment = i + 1;
    switch (step.kind) {
      case "alias": {
        const { buffer, offset } = read(step.of, moment);
        const { id, interval, start } = step;
        stored.set(id, { kind: "stored", buffer, offset: offset + start, interval });
        return;
      }
      case "spread": {
        const codes = constants.get(step.id) as Float64Array;
        store(step.id, codes.length, hullOf(Array.from(codes, BigInt)), moment);
        return;
      }
      case "group": {
        for (const id of readsOf(step)) if (stored.has(id) || !constants.has(id)) read(id, moment);
        const { id, size, interval } = resultOf(step);
        store(id, size, interval, moment);
        if (step.product === undefined) return;
        const { value, other } = step.product;
        const lane = laneFor(step.root.interval);
        const method = chooseMethod(step.product, constants.get(other), read(value, moment), lane);
        methods.set(step, method);
        if (method.dot !== undefined) {
          scratch.set(step, buffer(scratchPairs(method.dot), 32, moment));
        }
      }
    }
  });
  for (const id of outputs) read(id, steps.length + 1);
  return { buffers, stored, methods, scratch };
}

/** Values that the code of a group may find in memory. */
function readsOf({ root, product }: Group): readonly ValueId[] {
  if (product === undefined) return root.args;
  const { value, other, bias } = product;
  return bias === undefined ? [value, other] : [value, other, bias.id];
}
