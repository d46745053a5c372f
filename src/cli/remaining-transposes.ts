import { Nn2fpgaError } from "../base/index.ts";
import type { Graph } from "../ir/index.ts";
import { importModel, type OnnxModel } from "../onnx/index.ts";
import { ops } from "../ops/index.ts";
import { runPasses } from "../passes/index.ts";
import { type Shape, sizeOf } from "../tensor/index.ts";

/** A change of layout that no pass could make vanish. */
export interface RemainingTranspose {
  readonly name: string;
  /** The node that it comes from. */
  readonly node: string;
  /** Of its result. */
  readonly shape: Shape;
  readonly perm: readonly number[];
  /** What a stream must hold before it can give the first element, at 16 bits each; a parallel kernel only crosses wires. */
  readonly bufferedBits: number;
}

const bitsOfElement = 16;

/** What is left after the passes; nothing is known where the model cannot be imported as a whole. */
export function remainingTransposes(model: OnnxModel): readonly RemainingTranspose[] | undefined {
  try {
    return transposesOf(runPasses(importModel(model), ops));
  } catch (error) {
    if (error instanceof Nn2fpgaError) return undefined;
    throw error;
  }
}

export function transposesOf(graph: Graph): readonly RemainingTranspose[] {
  return [...graph.values.values()].flatMap((value): RemainingTranspose[] => {
    if (value.kind !== "op" || value.op !== "transpose") return [];
    const perm = value.attrs["perm"] as readonly number[];
    // Axes of extent 1 change places for nothing.
    const moving = perm.filter((_, axis) => value.shape[axis] > 1);
    if (moving.every((axis, i) => i === 0 || axis > moving[i - 1])) return [];
    const { id, origin, shape } = value;
    const bufferedBits = sizeOf(shape) * bitsOfElement;
    return [{ name: id, node: origin.node, shape, perm, bufferedBits }];
  });
}
