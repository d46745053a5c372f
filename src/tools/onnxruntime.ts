import { readFileSync } from "node:fs";
import type { onnx } from "onnx-proto";
import { fail, InternalError, Nn2fpgaError } from "../base/index.ts";
import {
  byteCount,
  dataTypeName,
  decodeElements,
  type ElementType,
  elementTypes,
  encodeElements,
  exactNumber,
  externalData,
  type Int64,
  makeTensor,
  type Tensor,
} from "../tensor/index.ts";

/** The float network in ONNX Runtime: graph optimisations off, one thread. */
export interface OnnxRuntimeSession {
  /** Names of intermediate values that it can give, beside the outputs. */
  run(feeds: ReadonlyMap<string, Tensor>, wanted: readonly string[]): Promise<Map<string, Tensor>>;
}

type Ort = typeof import("onnxruntime-node");

/** @throws N2F_TOOL_MISSING where the optional package is not installed */
export async function loadOnnxRuntime(): Promise<Ort> {
  try {
    const module = await import("onnxruntime-node");
    return (module as { default?: Ort }).default ?? module;
  } catch (cause) {
    return fail(
      "N2F_TOOL_MISSING",
      "the package onnxruntime-node is not installed or does not load",
      {
        at: "onnxruntime-node",
        hint: "Install it with `npm install onnxruntime-node`.",
        cause,
      },
    );
  }
}

/**
 * Opens a model, with some of its intermediate values as further outputs.
 *
 * @throws N2F_TOOL_MISSING, N2F_REFERENCE_FAILED
 */
export async function openOnnxRuntime(
  modelPath: string,
  intermediates: readonly string[],
): Promise<OnnxRuntimeSession> {
  const ort = await loadOnnxRuntime();
  const options = {
    graphOptimizationLevel: "disabled",
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  } as const;
  let session: Awaited<ReturnType<Ort["InferenceSession"]["create"]>>;
  try {
    session =
      intermediates.length === 0
        ? await ort.InferenceSession.create(modelPath, options)
        : await ort.InferenceSession.create(await withOutputs(modelPath, intermediates), options);
  } catch (cause) {
    if (cause instanceof Nn2fpgaError) throw cause;
    return fail(
      "N2F_REFERENCE_FAILED",
      `ONNX Runtime cannot load the model: ${(cause as Error).message}`,
      {
        at: modelPath,
        cause,
      },
    );
  }
  const types = new Map(
    session.inputMetadata.map((input) => [input.name, input.isTensor ? input.type : "float32"]),
  );
  return {
    async run(feeds, wanted) {
      const inputs: Record<string, InstanceType<Ort["Tensor"]>> = {};
      for (const [name, tensor] of feeds) {
        inputs[name] = toOrt(ort, tensor, types.get(name) ?? "float32");
      }
      const names = wanted.filter((name) => session.outputNames.includes(name));
      try {
        const results = await session.run(inputs, names);
        return new Map(names.map((name) => [name, fromOrt(results[name])]));
      } catch (cause) {
        return fail(
          "N2F_REFERENCE_FAILED",
          `ONNX Runtime cannot run the model: ${(cause as Error).message}`,
          {
            at: modelPath,
            cause,
          },
        );
      }
    },
  };
}

/**
 * The model's bytes with more of its values declared as outputs. Data that lies beside the model comes
 * inside: the runtime does not know where bytes in memory come from.
 */
async function withOutputs(modelPath: string, names: readonly string[]): Promise<Uint8Array> {
  const { onnx } = (await import("onnx-proto")).default;
  const model = onnx.ModelProto.decode(readFileSync(modelPath));
  const { graph } = model;
  if (!graph) return readFileSync(modelPath);
  const made = new Set(graph.node?.flatMap((node) => node.output ?? []));
  const declared = new Set(graph.output?.map(({ name }) => name));
  const more = names.filter((name) => made.has(name) && !declared.has(name));
  graph.output = [
    ...(graph.output ?? []),
    ...more.map((name) => onnx.ValueInfoProto.create({ name })),
  ];
  const fetch = externalData(modelPath);
  for (const tensor of graph.initializer ?? []) {
    if (tensor.dataLocation === onnx.TensorProto.DataLocation.EXTERNAL) takeInside(tensor, fetch);
  }
  return onnx.ModelProto.encode(model).finish();
}

function takeInside(tensor: onnx.ITensorProto, fetch: ReturnType<typeof externalData>): void {
  const entries = new Map(tensor.externalData?.map(({ key, value }) => [key ?? "", value ?? ""]));
  const type = dataTypeName(tensor.dataType ?? 0);
  // What we do not hold stays outside; the runtime will say what it makes of it.
  if (type === undefined || !isElementType(type)) return;
  const count = (tensor.dims ?? []).reduce<number>(
    (size, extent) => size * (exactNumber(extent as Int64) ?? Number.NaN),
    1,
  );
  tensor.rawData = fetch({
    label: `tensor "${tensor.name ?? ""}"`,
    location: entries.get("location") ?? "",
    offset: entries.get("offset"),
    length: entries.get("length"),
    byteCount: byteCount(type, count),
  });
  tensor.dataLocation = 0;
  tensor.externalData = [];
}

function isElementType(type: string): type is ElementType {
  return Object.hasOwn(elementTypes, type);
}

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  bool: Uint8Array,
} as const;

function toOrt(ort: Ort, { shape, data }: Tensor, type: string): InstanceType<Ort["Tensor"]> {
  if (type === "int64" || type === "uint64") {
    const codes = Array.from(data, (x) => BigInt(Math.trunc(x)));
    const array = type === "int64" ? BigInt64Array.from(codes) : BigUint64Array.from(codes);
    return new ort.Tensor(type, array as BigInt64Array, shape);
  }
  if (type === "float16") {
    const bytes = encodeElements(data, "float16", () => {
      throw new InternalError("a float does not fit a float");
    });
    return new ort.Tensor("float16", new Uint16Array(bytes.buffer), shape);
  }
  const kind = (type in arrays ? type : "float32") as keyof typeof arrays;
  return new ort.Tensor(kind as "float32", arrays[kind].from(data) as Float32Array, shape);
}

interface OrtOutput {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}

function fromOrt({ type, data, dims }: OrtOutput): Tensor {
  const values = data as ArrayLike<number | bigint | boolean>;
  const numbers =
    type === "float16" && data instanceof Uint16Array
      ? decodeElements(
          new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
          type,
          data.length,
          Number,
        )
      : Float64Array.from({ length: values.length }, (_, i) => Number(values[i]));
  return makeTensor(dims, numbers, isElementType(type) ? elementTypes[type].dtype : "float");
}
