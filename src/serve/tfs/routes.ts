import { create } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import {
  type Datatype,
  datatypeBytes,
  type InferenceCore,
  type InputSlot,
  type OutputTensor,
  ServeError,
  type TensorMetadata,
} from "../core/index.ts";
import { type Route, unaryRoute } from "../grpc/route.ts";
import { DataType, type TensorProto } from "../proto/tensorflow_pb.ts";
import {
  ModelService,
  type ModelSpec,
  PredictionService,
  SignatureDefMapSchema,
  ModelVersionStatus_State as State,
} from "../proto/tensorflow_serving_pb.ts";
import { PendingRequest } from "../wire/pending-request.ts";

/**
 * TensorFlow Serving on the gRPC port, as far as clients of the first SONIC go: `Predict` with or without
 * a `model_spec`, `GetModelMetadata`, `GetModelStatus`.
 */
export function tensorflowRoutes(core: InferenceCore): readonly (readonly [string, Route])[] {
  const { predict, getModelMetadata } = PredictionService.method;
  return [
    unaryRoute("inference", predict, async (request, call) => {
      const { model, version } = specOf(core, request.modelSpec);
      const metadata = core.modelMetadata(model, version);
      const inputs = Object.entries(request.inputs).map(([alias, tensor]) => ({
        // The one input of a model is known without its name.
        name: metadata.inputs.length === 1 ? metadata.inputs[0].name : alias,
        datatype: datatypeOf(tensor, alias),
        shape: (tensor.tensorShape?.dim ?? []).map(({ size }) => Number(size)),
        tensor,
      }));
      const outputs = request.outputFilter.map((name) => ({ name }));
      const header = { model, version, id: "", inputs, outputs };
      const pending = new PendingRequest(core, header, call);
      // The client may go at any time; after the answer this does nothing.
      call.onClosed = () => pending.request.cancel();
      try {
        for (let at = 0; at < inputs.length; at++) {
          fillSlot(pending.request.inputs[at], inputs[at].tensor);
        }
        pending.complete();
      } catch (error) {
        pending.request.cancel();
        throw error;
      }
      const response = await pending.request.run();
      try {
        return {
          modelSpec: effectiveSpec(model, response.version, request.modelSpec),
          outputs: Object.fromEntries(response.outputs.map((o) => [o.name, tensorOf(o)])),
        };
      } finally {
        response.release();
      }
    }),

    unaryRoute("metadata", getModelMetadata, (request) => {
      const { model, version } = specOf(core, request.modelSpec);
      for (const field of request.metadataField) {
        if (field !== "signature_def") {
          throw new ServeError("INVALID_ARG", `Metadata field ${field} is not supported`);
        }
      }
      const { inputs, outputs, versions } = core.modelMetadata(model, version);
      const signature = {
        inputs: Object.fromEntries(inputs.map(tensorInfo)),
        outputs: Object.fromEntries(outputs.map(tensorInfo)),
        methodName: "tensorflow/serving/predict",
      };
      const map = create(SignatureDefMapSchema, { signatureDef: { serving_default: signature } });
      const signatureDef: Any = anyPack(SignatureDefMapSchema, map);
      const effective = version === "" ? (versions.at(-1) ?? "0") : version;
      return {
        modelSpec: effectiveSpec(model, effective, request.modelSpec),
        metadata: { signature_def: signatureDef },
      };
    }),

    unaryRoute("health", ModelService.method.getModelStatus, (request) => {
      const { model, version } = specOf(core, request.modelSpec);
      const entries = core
        .repositoryIndex({ ready: false })
        .filter((entry) => entry.name === model && (version === "" || entry.version === version));
      if (entries.length === 0) {
        throw new ServeError("NOT_FOUND", `Could not find any versions of model ${model}`);
      }
      return {
        modelVersionStatus: entries.map(({ version, state, reason }) => ({
          version: BigInt(version === "" ? 0 : version),
          state: stateOf[state],
          status: { errorCode: reason === "" ? 0 : 2, errorMessage: reason },
        })),
      };
    }),
  ];
}

const stateOf = {
  READY: State.AVAILABLE,
  LOADING: State.LOADING,
  UNLOADING: State.UNLOADING,
  UNAVAILABLE: State.END,
} as const;

/** The model that a request means; the clients of the first SONIC name none. */
function specOf(core: InferenceCore, spec: ModelSpec | undefined) {
  const model = spec?.name || core.defaultModel();
  if (model === undefined) {
    throw new ServeError(
      "INVALID_ARG",
      "the request has no model_spec, and the server has no default model; name one of " +
        core
          .repositoryIndex({ ready: true })
          .map(({ name }) => `'${name}'`)
          .join(", "),
    );
  }
  return { model, version: spec?.version === undefined ? "" : String(spec.version) };
}

function effectiveSpec(model: string, version: string, spec: ModelSpec | undefined) {
  const signatureName = spec?.signatureName || "serving_default";
  return { name: model, version: BigInt(version), signatureName };
}

const datatypeByNumber: Readonly<Partial<Record<DataType, Datatype>>> = {
  [DataType.DT_FLOAT]: "FP32",
  [DataType.DT_DOUBLE]: "FP64",
  [DataType.DT_HALF]: "FP16",
  [DataType.DT_BFLOAT16]: "BF16",
  [DataType.DT_INT8]: "INT8",
  [DataType.DT_INT16]: "INT16",
  [DataType.DT_INT32]: "INT32",
  [DataType.DT_INT64]: "INT64",
  [DataType.DT_UINT8]: "UINT8",
  [DataType.DT_UINT16]: "UINT16",
  [DataType.DT_UINT32]: "UINT32",
  [DataType.DT_UINT64]: "UINT64",
  [DataType.DT_BOOL]: "BOOL",
  [DataType.DT_STRING]: "BYTES",
};

function datatypeOf({ dtype }: TensorProto, name: string): Datatype {
  const datatype = datatypeByNumber[dtype];
  if (datatype !== undefined) return datatype;
  throw new ServeError(
    "INVALID_ARG",
    `input '${name}' has the dtype ${dtype}, which is not served`,
  );
}

const numberOfDatatype = Object.fromEntries(
  Object.entries(datatypeByNumber).map(([number, datatype]) => [datatype, Number(number)]),
) as Readonly<Record<Datatype, DataType>>;

function tensorInfo({ name, datatype, shape }: TensorMetadata) {
  const dim = shape.map((size) => ({ size: BigInt(size) }));
  const dtype = numberOfDatatype[datatype as Datatype];
  return [name, { name, dtype, tensorShape: { dim } }] as const;
}

function tensorOf({ datatype, shape, bytes }: OutputTensor) {
  const tensorShape = { dim: shape.map((size) => ({ size: BigInt(size) })) };
  const dtype = numberOfDatatype[datatype];
  if (datatype === "BYTES") return { dtype, tensorShape, stringVal: splitStrings(bytes) };
  // A copy, as the buffer goes back to the pool before the message is encoded.
  return { dtype, tensorShape, tensorContent: bytes.slice() };
}

/** Raw BYTES elements without their lengths. */
function splitStrings(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at, true);
    elements.push(bytes.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return elements;
}

/** The tensor's content, or its list of values; a single value stands for all elements. */
function fillSlot(slot: InputSlot, tensor: TensorProto): void {
  if (tensor.tensorContent.length > 0 || slot.expectedBytes === 0) {
    slot.open(tensor.tensorContent.length).set(tensor.tensorContent);
  } else if (slot.datatype === "BYTES") {
    const elements = tensor.stringVal;
    const into = slot.open(elements.reduce((sum, { length }) => sum + 4 + length, 0));
    const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
    let at = 0;
    for (const element of elements) {
      view.setUint32(at, element.length, true);
      into.set(element, at + 4);
      at += 4 + element.length;
    }
  } else fillNumbers(slot, valuesOf(slot.datatype, tensor));
}

function valuesOf(datatype: Datatype, tensor: TensorProto): readonly (number | bigint | boolean)[] {
  switch (datatype) {
    case "FP32":
      return tensor.floatVal;
    case "FP64":
      return tensor.doubleVal;
    case "INT64":
      return tensor.int64Val;
    case "UINT64":
      return tensor.uint64Val;
    case "UINT32":
      return tensor.uint32Val;
    case "BOOL":
      return tensor.boolVal;
    case "FP16":
    case "BF16":
      return tensor.halfVal;
    default:
      return tensor.intVal;
  }
}

function fillNumbers(slot: InputSlot, values: readonly (number | bigint | boolean)[]): void {
  const size = datatypeBytes[slot.datatype];
  const isRepeated = values.length === 1;
  const into = slot.open(isRepeated ? Math.max(slot.expectedBytes, size) : values.length * size);
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  for (let at = 0, index = 0; at < into.length; at += size, index++) {
    writeNumber(view, at, slot.datatype, values[isRepeated ? 0 : index]);
  }
}

function writeNumber(
  view: DataView,
  at: number,
  datatype: Datatype,
  value: number | bigint | boolean,
): void {
  if (datatype === "FP32") view.setFloat32(at, Number(value), true);
  else if (datatype === "FP64") view.setFloat64(at, Number(value), true);
  else if (datatypeBytes[datatype] === 8)
    view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  else if (datatypeBytes[datatype] === 4) view.setUint32(at, Number(value), true);
  else if (datatypeBytes[datatype] === 2) view.setUint16(at, Number(value), true);
  else view.setUint8(at, Number(value));
}
