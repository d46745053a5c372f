import { fail } from "../../base/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { loadOnnxRuntime } from "../../tools/index.ts";
import { type Datatype, datatypeBytes } from "../core/datatype.ts";
import type { ModelConfig } from "../core/model-config.ts";
import { isFixedSize, type ModelSignature } from "../core/signature.ts";
import type { ModelFacts, TensorFact } from "../repository/model-config.ts";
import type { Executor, RunPart } from "../scheduler/executor.ts";
import type { DeviceLane } from "../scheduler/lane.ts";
import type { RunTimes } from "../scheduler/recorder.ts";

type Ort = Awaited<ReturnType<typeof loadOnnxRuntime>>;
type Session = Awaited<ReturnType<Ort["InferenceSession"]["create"]>>;

/** Types of ONNX Runtime that requests can carry, and the arrays that it wants for them. */
const types: Readonly<
  Record<
    string,
    {
      readonly datatype: Datatype;
      readonly view: (bytes: ArrayBufferLike, length: number) => unknown;
    }
  >
> = {
  float32: { datatype: "FP32", view: (bytes, length) => new Float32Array(bytes, 0, length) },
  float64: { datatype: "FP64", view: (bytes, length) => new Float64Array(bytes, 0, length) },
  float16: { datatype: "FP16", view: (bytes, length) => new Uint16Array(bytes, 0, length) },
  int8: { datatype: "INT8", view: (bytes, length) => new Int8Array(bytes, 0, length) },
  uint8: { datatype: "UINT8", view: (bytes, length) => new Uint8Array(bytes, 0, length) },
  int16: { datatype: "INT16", view: (bytes, length) => new Int16Array(bytes, 0, length) },
  uint16: { datatype: "UINT16", view: (bytes, length) => new Uint16Array(bytes, 0, length) },
  int32: { datatype: "INT32", view: (bytes, length) => new Int32Array(bytes, 0, length) },
  uint32: { datatype: "UINT32", view: (bytes, length) => new Uint32Array(bytes, 0, length) },
  int64: { datatype: "INT64", view: (bytes, length) => new BigInt64Array(bytes, 0, length) },
  uint64: { datatype: "UINT64", view: (bytes, length) => new BigUint64Array(bytes, 0, length) },
  bool: { datatype: "BOOL", view: (bytes, length) => new Uint8Array(bytes, 0, length) },
};

/** Rows of a request to a model on the processor, where its config does not say. */
const usualRows = 4096;

/** A model file in ONNX Runtime. */
export interface OnnxModel {
  readonly facts: ModelFacts;
  /** One session more: an instance. */
  open(config: ModelConfig): Promise<Session>;
  readonly ort: Ort;
}

/**
 * Opens a model file for the processor.
 *
 * @throws N2F_TOOL_MISSING, N2F_REFERENCE_FAILED
 */
export async function openOnnxModel(path: string): Promise<OnnxModel> {
  const ort = await loadOnnxRuntime();
  const create = async (threads: number): Promise<Session> => {
    try {
      return await ort.InferenceSession.create(path, {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        logSeverityLevel: 4,
      });
    } catch (cause) {
      return fail(
        "N2F_REFERENCE_FAILED",
        `ONNX Runtime cannot load the model: ${(cause as Error).message}`,
        { at: path, cause },
      );
    }
  };
  const session = await create(1);
  const facts = factsOf(session, path);
  await session.release();
  return {
    facts,
    ort,
    open: ({ parameters }) =>
      create(Math.max(0, Number(parameters?.["intra_op_thread_count"]?.string_value ?? 1))),
  };
}

function factsOf(session: Session, at: string): ModelFacts {
  type Metadata = Session["inputMetadata"][number];
  const shapeOf = (tensor: Metadata): readonly (number | string)[] =>
    tensor.isTensor ? tensor.shape : [];
  const all = [...session.inputMetadata, ...session.outputMetadata];
  const isBatch = (tensor: Metadata): boolean =>
    typeof shapeOf(tensor)[0] === "string" || shapeOf(tensor)[0] === -1;
  const isKnown = (tensor: Metadata): boolean => shapeOf(tensor).length > 0;
  const hasBatch = all.some(isKnown) && all.filter(isKnown).every(isBatch);
  const fact = (tensor: Metadata): TensorFact => {
    const type = tensor.isTensor ? types[tensor.type] : undefined;
    if (type === undefined) {
      return fail("N2F_OP_UNSUPPORTED", `tensor ${tensor.name} has a type that is not served`, {
        at,
      });
    }
    const full = shapeOf(tensor).map((extent) => (typeof extent === "number" ? extent : -1));
    return {
      name: tensor.name,
      datatypes: [type.datatype],
      dims: hasBatch ? (full.length === 1 ? [1] : full.slice(1)) : full,
      fullDims: full,
      ...(!isKnown(tensor) && { isShapeUnknown: true }),
    };
  };
  return {
    platform: "onnxruntime_onnx",
    backend: "onnxruntime",
    inputs: session.inputMetadata.map(fact),
    outputs: session.outputMetadata.map(fact),
    maxBatchSize: hasBatch ? usualRows : 0,
    instanceKind: "KIND_CPU",
  };
}

/** An ONNX model on the processor. Rows of several requests are put side by side where sizes are fixed. */
export class OnnxExecutor implements Executor {
  readonly maxRows: number;
  readonly isBatching: boolean;
  readonly lane: DeviceLane;
  readonly #ort: Ort;
  readonly #session: Session;
  readonly #signature: ModelSignature;

  constructor(ort: Ort, session: Session, signature: ModelSignature, lane: DeviceLane) {
    this.#ort = ort;
    this.#session = session;
    this.#signature = signature;
    this.lane = lane;
    this.isBatching = signature.maxBatchSize > 0 && isFixedSize(signature);
    this.maxRows = this.isBatching ? signature.maxBatchSize : Number.POSITIVE_INFINITY;
  }

  async run(parts: readonly RunPart[], rows: number): Promise<RunTimes> {
    const started = performance.now();
    const feeds = Object.fromEntries(
      this.#signature.inputs.map(({ name }, i) => [name, this.#gather(parts, rows, i)]),
    );
    const gathered = performance.now();
    const results = await this.#session.run(feeds);
    const computed = performance.now();
    this.#signature.outputs.forEach(({ name }, i) => {
      const { data, dims } = results[name];
      this.#scatter(parts, i, data as unknown as Uint8Array, dims);
    });
    return {
      inputMs: gathered - started,
      inferMs: computed - gathered,
      outputMs: performance.now() - computed,
    };
  }

  async close(): Promise<void> {
    await this.#session.release();
  }

  #gather(parts: readonly RunPart[], rows: number, place: number): InstanceType<Ort["Tensor"]> {
    const { datatype, rowBytes, dims } = this.#signature.inputs[place];
    const shape =
      parts.length === 1 && parts[0].rows === parts[0].request.rows
        ? parts[0].request.input(place).shape
        : [rows, ...dims];
    const elements = sizeOf(shape);
    const bytes = new Uint8Array(elements * datatypeBytes[datatype]);
    let at = 0;
    for (const { request, firstRow, rows: taken } of parts) {
      const raw = request.input(place).bytes;
      const part =
        rowBytes < 0 ? raw : raw.subarray(firstRow * rowBytes, (firstRow + taken) * rowBytes);
      bytes.set(part, at);
      at += part.length;
    }
    const [type, { view }] = Object.entries(types).find(
      ([, entry]) => entry.datatype === datatype,
    ) as [string, (typeof types)[string]];
    // A batch of scalars has one axis in the model and dims [1] in the config.
    const full = this.#modelShape(this.#signature.inputs[place].name, shape);
    return new this.#ort.Tensor(
      type as "float32",
      view(bytes.buffer, elements) as Float32Array,
      full,
    );
  }

  #modelShape(name: string, shape: readonly number[]): readonly number[] {
    const metadata = this.#session.inputMetadata.find((input) => input.name === name);
    const rank = metadata?.isTensor ? metadata.shape.length : 0;
    return rank === 1 && shape.length === 2 ? [shape[0]] : shape;
  }

  #scatter(
    parts: readonly RunPart[],
    place: number,
    data: Uint8Array,
    dims: readonly number[],
  ): void {
    const { rowBytes } = this.#signature.outputs[place];
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    let at = 0;
    for (const { request, firstRow, rows } of parts) {
      const length = rowBytes < 0 ? bytes.length : rows * rowBytes;
      if (!request.isSettled && request.isWanted(place)) {
        if (at + length > bytes.length) {
          fail("N2F_DATA_SHAPE", `ONNX Runtime gave [${dims}] for ${rows} rows or more`, {
            at: this.#signature.model,
          });
        }
        const into =
          rowBytes < 0
            ? request.output(place, length, dims)
            : request.output(place).subarray(firstRow * rowBytes, (firstRow + rows) * rowBytes);
        into.set(bytes.subarray(at, at + length));
      }
      at += length;
    }
  }
}
