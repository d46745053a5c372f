import { sizeOf } from "../../tensor/index.ts";
import type { InputHeader, Parameters, ParameterValue, RequestHeader } from "./inference.ts";
import type { ModelMetadata } from "./inference-core.ts";
import { ServeError } from "./serve-error.ts";
import type { ModelSignature, TensorSpec } from "./signature.ts";

/** What a header says, checked against the model. */
export interface CheckedHeader {
  readonly rows: number;
  /** For each input of the model its place in the header. */
  readonly places: readonly number[];
  /** For each wanted output its place in the model. */
  readonly wanted: readonly number[];
}

const refuse = (message: string): never => {
  throw new ServeError("INVALID_ARG", message);
};

/** Checks names, types, shapes and the batch. @throws ServeError INVALID_ARG */
export function checkHeader(signature: ModelSignature, header: RequestHeader): CheckedHeader {
  const { model, maxBatchSize, inputs } = signature;
  const places = inputs.map(({ name }) => header.inputs.findIndex((input) => input.name === name));
  if (header.inputs.length !== inputs.length || places.includes(-1)) {
    refuseInputs(signature, header.inputs);
  }
  let rows = 1;
  for (let i = 0; i < inputs.length; i++) {
    const { datatype, shape, name } = header.inputs[places[i]];
    const spec = inputs[i];
    if (datatype !== spec.datatype) {
      refuse(
        `inference input '${name}' data-type is '${datatype}', but model '${model}' expects '${spec.datatype}'`,
      );
    }
    if (!fits(shape, spec, maxBatchSize))
      refuseShape(model, header.inputs[places[i]], spec, maxBatchSize);
    if (maxBatchSize === 0) continue;
    if (i > 0 && shape[0] !== rows) {
      refuse(`input '${name}' batch size does not match other inputs for '${model}'`);
    }
    rows = shape[0];
  }
  if (rows > maxBatchSize && maxBatchSize > 0) {
    refuse(`inference request batch-size must be <= ${maxBatchSize} for '${model}'`);
  }
  return { rows, places, wanted: wantedOutputs(signature, header) };
}

function fits(shape: readonly number[], { dims }: TensorSpec, maxBatchSize: number): boolean {
  const first = maxBatchSize > 0 ? 1 : 0;
  if (shape.length !== dims.length + first) return false;
  if (first === 1 && !(shape[0] >= 1)) return false;
  return dims.every((extent, i) =>
    extent < 0 ? shape[i + first] >= 0 : shape[i + first] === extent,
  );
}

function refuseShape(
  model: string,
  { name, shape }: InputHeader,
  { dims }: TensorSpec,
  maxBatchSize: number,
): never {
  const expected = maxBatchSize > 0 ? [-1, ...dims] : dims;
  const note =
    maxBatchSize > 0
      ? "The first axis counts the rows of the batch, because the model has a max_batch_size."
      : "The model has no batch axis, because its max_batch_size is 0.";
  return refuse(
    `unexpected shape for input '${name}' for model '${model}'. Expected [${expected.join(",")}], got [${shape.join(",")}]. ${note}`,
  );
}

function refuseInputs({ model, inputs }: ModelSignature, given: readonly InputHeader[]): never {
  const known = new Set(inputs.map(({ name }) => name));
  const names = given.map(({ name }) => name);
  const unknown = names.find((name) => !known.has(name));
  const missing = [...known].filter((name) => !names.includes(name));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    refuse(`input '${twice}' already exists in request for model '${model}'`);
  if (unknown !== undefined && missing.length === 0) {
    refuse(`unexpected inference input '${unknown}' for model '${model}'`);
  }
  const quoted = (list: readonly string[]): string => list.map((name) => `'${name}'`).join(",");
  return refuse(
    `expected ${inputs.length} inputs but got ${given.length} inputs for model '${model}'. Got input(s) [${quoted(names)}], but missing required input(s) [${quoted(missing)}]. Please provide all required input(s).`,
  );
}

function wantedOutputs(
  { model, outputs }: ModelSignature,
  { outputs: wanted }: RequestHeader,
): readonly number[] {
  if (wanted.length === 0) return outputs.map((_, i) => i);
  return wanted.map(({ name }) => {
    const place = outputs.findIndex((output) => output.name === name);
    return place >= 0
      ? place
      : refuse(`unexpected inference output '${name}' for model '${model}'`);
  });
}

/** Shapes of metadata: the batch axis is -1. */
export function metadataShape(
  { dims }: TensorSpec,
  { maxBatchSize }: ModelSignature,
): ModelMetadata["inputs"][number]["shape"] {
  return maxBatchSize > 0 ? [-1, ...dims] : dims;
}

/** Elements of a tensor of a request. @throws ServeError where their number is not exact */
export function countElements(shape: readonly number[], name: string): number {
  const elements = sizeOf(shape);
  return Number.isSafeInteger(elements)
    ? elements
    : refuse(`input '${name}' has an impossible shape [${shape.join(",")}]`);
}

/** Checks that BYTES elements fill their buffer. @throws ServeError INVALID_ARG */
export function checkStrings(
  bytes: Uint8Array,
  elements: number,
  input: string,
  model: string,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let found = 0;
  for (; at < bytes.length && found <= elements; found++) {
    if (at + 4 > bytes.length) {
      refuse(
        `incomplete string length indicator for inference input '${input}' for model '${model}', expecting 4 bytes but only ${bytes.length - at} bytes available`,
      );
    }
    const length = view.getUint32(at, true);
    at += 4 + length;
    if (at > bytes.length) {
      refuse(
        `incomplete string data for inference input '${input}' for model '${model}', expecting string of length ${length} but only ${bytes.length - (at - length)} bytes available`,
      );
    }
  }
  if (found !== elements) {
    refuse(
      `unexpected number of string elements ${found > elements ? `more than ${elements}` : found} for inference input '${input}' for model '${model}', expecting ${elements}`,
    );
  }
}

/** The parameters that the scheduler knows. */
export interface SchedulingParameters {
  /** 0 takes the model's default. */
  readonly priority: number;
  /** Microseconds in the queue; 0 takes the model's default. */
  readonly timeoutUs: number;
}

const accepted = new Set(["triton_enable_empty_final_response"]);
const unscheduled: SchedulingParameters = { priority: 0, timeoutUs: 0 };

/** @throws ServeError INVALID_ARG for reserved names and values of the wrong kind */
export function checkParameters(
  parameters: Parameters | undefined,
  model: string,
): SchedulingParameters {
  if (parameters === undefined || parameters.size === 0) return unscheduled;
  let [priority, timeoutUs] = [0, 0];
  for (const [key, value] of parameters) {
    if (key === "priority") priority = wholeNumber(key, value, model);
    else if (key === "timeout") timeoutUs = wholeNumber(key, value, model);
    else if (key.startsWith("triton_") && !accepted.has(key)) {
      refuse(
        `parameter '${key}' is not accepted: keys that begin with 'triton_' are reserved for the server`,
      );
    }
  }
  return { priority, timeoutUs };
}

function wholeNumber(key: string, value: ParameterValue, model: string): number {
  const isNumber = typeof value === "number" || typeof value === "bigint";
  const number = isNumber ? Number(value) : Number.NaN;
  return isNumber && Number.isInteger(number) && number >= 0
    ? number
    : refuse(
        `invalid value for parameter '${key}' for model '${model}': expected an integer of at least 0, got ${typeof value === "string" ? `'${value}'` : value}`,
      );
}
