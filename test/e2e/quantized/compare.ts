import { decodeModel } from "../../../src/onnx/index.ts";
import { type Samples, type Shape, sizeOf } from "../../../src/tensor/index.ts";
import { emulateModel } from "../../support/quantized.ts";
import type { CodeType } from "./model-writer.ts";

type Ort = typeof import("onnxruntime-node");

/** A model, and data for some inferences of it. */
export interface MadeModel {
  readonly bytes: Uint8Array;
  readonly inputs: readonly MadeInput[];
  readonly count: number;
  /** Where the output is real numbers: the scale of its codes. */
  readonly step?: number;
}

export interface MadeInput {
  readonly name: string;
  readonly shape: Shape;
  readonly type: CodeType | "float32";
  /** Inference after inference. */
  readonly data: Float64Array;
}

/** How far ONNX Runtime may rewrite the model: not at all, or as it does by default. */
export type Optimization = "disabled" | "all";

export interface Comparison {
  readonly compared: number;
  readonly equal: number;
  /** Greatest distance, in codes. */
  readonly worst: number;
}

export const nothingCompared: Comparison = { compared: 0, equal: 0, worst: 0 };

export function joinComparisons(a: Comparison, b: Comparison): Comparison {
  return {
    compared: a.compared + b.compared,
    equal: a.equal + b.equal,
    worst: Math.max(a.worst, b.worst),
  };
}

export function compareCodes(
  actual: readonly number[],
  expected: readonly number[],
  step = 1,
): Comparison {
  if (actual.length !== expected.length) {
    throw new Error(`${actual.length} codes were made of ${expected.length}`);
  }
  let [equal, worst] = [0, 0];
  actual.forEach((code, i) => {
    const distance = Math.abs(code - expected[i]) / step;
    if (!(distance >= 0.5)) equal++;
    worst = Math.max(worst, distance);
  });
  return { compared: actual.length, equal, worst };
}

const arrays = {
  float32: Float32Array,
  int4: Int8Array,
  uint4: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
} as const;

/** What ONNX Runtime makes of the model's data, inference after inference. */
export async function runReference(
  ort: Ort,
  { bytes, inputs, count }: MadeModel,
  optimization: Optimization,
): Promise<number[]> {
  const session = await ort.InferenceSession.create(bytes, {
    graphOptimizationLevel: optimization,
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  try {
    const expected: number[] = [];
    for (let i = 0; i < count; i++) {
      const feeds = inputs.map(({ name, shape, type, data }) => {
        const size = sizeOf(shape);
        const own = arrays[type].from(data.subarray(i * size, (i + 1) * size));
        return [name, new ort.Tensor(type as "float32", own as Float32Array, [...shape])] as const;
      });
      const { y } = await session.run(Object.fromEntries(feeds));
      for (const code of y.data as Iterable<number | bigint>) expected.push(Number(code));
    }
    return expected;
  } finally {
    await session.release();
  }
}

/** What our emulator makes of it. */
export function runEmulator({ bytes, inputs, count }: MadeModel): readonly number[] {
  const data = new Map(inputs.map((input) => [input.name, input.data]));
  const samples: Samples = { count, data };
  return emulateModel(decodeModel(bytes, "made.onnx"), samples)[0].reals;
}

export async function compareWithReference(
  ort: Ort,
  made: MadeModel,
  optimization: Optimization,
): Promise<Comparison> {
  const expected = await runReference(ort, made, optimization);
  return compareCodes(runEmulator(made), expected, made.step ?? 1);
}
