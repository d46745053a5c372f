import { evaluate, type OpValue, valueId } from "../../../src/ir/index.ts";
import { decodeModel, importModel } from "../../../src/onnx/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { makeTensor, type Samples, type Shape, sizeOf } from "../../../src/tensor/index.ts";
import type { CodeType } from "../../support/model-writer.ts";
import { emulateModel } from "../../support/quantized.ts";

type Ort = typeof import("onnxruntime-node");

/** A model, and data for some inferences of it. */
export interface MadeModel {
  readonly bytes: Uint8Array;
  readonly inputs: readonly MadeInput[];
  readonly count: number;
  /** Where the output is real numbers: the scale of its codes. */
  readonly step?: number;
  /** What must come out, where ONNX Runtime does not know the operator. */
  readonly expected?: readonly number[];
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
  /** Codes of the reference that no number so close to the model's own rounds to. */
  readonly unexplained: number;
}

export const nothingCompared: Comparison = { compared: 0, equal: 0, worst: 0, unexplained: 0 };

export function joinComparisons(a: Comparison, b: Comparison): Comparison {
  return {
    compared: a.compared + b.compared,
    equal: a.equal + b.equal,
    worst: Math.max(a.worst, b.worst),
    unexplained: a.unexplained + b.unexplained,
  };
}

export function compareCodes(
  actual: readonly number[],
  expected: readonly number[],
  step = 1,
): Omit<Comparison, "unexplained"> {
  if (actual.length !== expected.length) {
    throw new Error(`${actual.length} codes were made of ${expected.length}`);
  }
  let [equal, worst] = [0, 0];
  actual.forEach((code, i) => {
    const distance = Math.abs(code - expected[i]) / step;
    if (distance < 0.5) equal++;
    worst = distance <= worst ? worst : distance; // so is what is no number
  });
  return { compared: actual.length, equal, worst };
}

const arrays = {
  bool: Uint8Array,
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

/**
 * Compares codes. Those that differ must be ties, or nearly: what float32 may round to either side.
 *
 * @param ort absent only where the model brings what must come out
 */
export async function compareWithReference(
  ort: Ort | undefined,
  made: MadeModel,
  optimization: Optimization,
): Promise<Comparison> {
  const { step = 1 } = made;
  const expected = made.expected ?? (await runReference(ort as Ort, made, optimization));
  const result = compareCodes(runEmulator(made), expected, step);
  if (result.equal === result.compared) return { ...result, unexplained: 0 };
  const [low, high] = [-1, 1].map((sign) => roundedNear(made, sign * float32Share));
  const isExplained = (code: number, i: number) =>
    code > low[i] - step / 2 && code < high[i] + step / 2;
  return { ...result, unexplained: expected.filter((code, i) => !isExplained(code, i)).length };
}

/** How far float32 may be from a number, as a share of the greatest: a few of its last digits. */
const float32Share = 2 ** -22;

/** What comes out over real numbers, where the last quantization sees a number that is off by a share of its range. */
function roundedNear({ bytes, inputs, count }: MadeModel, share: number): readonly number[] {
  const graph = importModel(decodeModel(bytes, "made.onnx"));
  const values = new Map(graph.values);
  const last = [...values.values()].findLast(
    (v): v is OpValue => v.kind === "op" && v.op === "quantize",
  );
  if (last === undefined) return [];
  const { add, div, lo, hi } = last.attrs as Record<"add" | "div", number[]> &
    Record<"lo" | "hi", number>;
  const length = Math.max(add.length, div.length);
  const moved = Array.from({ length }, (_, c) => {
    const at = (list: readonly number[]) => list[list.length === 1 ? 0 : c];
    return at(add) + share * (hi - lo) * at(div);
  });
  values.set(last.id, { ...last, attrs: { ...last.attrs, add: moved } });
  const near = { ...graph, values };
  return Array.from({ length: count }, (_, i) => {
    const feeds = inputs.map(({ name, shape, data }) => {
      const size = sizeOf(shape);
      return [valueId(name), makeTensor(shape, data.subarray(i * size, (i + 1) * size))] as const;
    });
    const [{ value }] = graph.outputs;
    return Array.from(evaluate(near, ops, new Map(feeds)).get(value)?.data ?? []);
  }).flat();
}
