import type { ParameterValue } from "../core/index.ts";
import type { NamedInput, NamedTensor } from "../wire/pending-request.ts";
import { badJson } from "./http-error.ts";

/** An input of an inference request's JSON. */
export interface JsonInput extends NamedInput {
  /** Bytes after the JSON; undefined where `data` or shared memory has the tensor. */
  readonly binarySize: number | undefined;
  readonly data: unknown;
}

/** An output that the JSON asks for. */
export interface JsonOutput extends NamedTensor {
  readonly isBinary: boolean;
}

/** The JSON of an inference request, checked. */
export interface InferJson {
  readonly id: string;
  readonly parameters: ReadonlyMap<string, ParameterValue> | undefined;
  readonly inputs: readonly JsonInput[];
  readonly outputs: readonly JsonOutput[];
  /** What outputs are that the request does not name. */
  readonly isBinaryDefault: boolean;
}

/** @throws ServeError INVALID_ARG */
export function parseInferJson(text: string): InferJson {
  const document = parseObject(text);
  const { id = "", inputs, outputs = [] } = document;
  // Triton takes numbers too.
  if (typeof id !== "string" && typeof id !== "number") throw badJson("'id' must be a string");
  const parameters = parametersOf(document["parameters"], "the request");
  const isBinaryDefault = takeFlag(parameters, "binary_data_output") ?? false;
  return {
    id: String(id),
    inputs: list(inputs, "inputs").map(inputOf),
    outputs: list(outputs, "outputs").map((output) => outputOf(output, isBinaryDefault)),
    parameters: parameters === undefined || parameters.size === 0 ? undefined : parameters,
    isBinaryDefault,
  };
}

/** @throws ServeError INVALID_ARG */
export function parseObject(text: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw badJson(`failed to parse the request JSON buffer: ${(error as Error).message}`);
  }
  return object(document, "the request");
}

function inputOf(value: unknown): JsonInput {
  const input = object(value, "an input");
  const name = text(input["name"], "'name' of an input");
  const parameters = parametersOf(input["parameters"], `input '${name}'`);
  const binarySize = parameters?.get("binary_data_size");
  parameters?.delete("binary_data_size");
  if (binarySize !== undefined && !isCount(binarySize)) {
    throw badJson(`'binary_data_size' of input '${name}' must be an integer of at least 0`);
  }
  const shape = list(input["shape"], `shape' of input '${name}`).map((size) => {
    if (Number.isSafeInteger(size)) return size as number;
    throw badJson(`'shape' of input '${name}' must have integers`);
  });
  return {
    name,
    datatype: text(input["datatype"], `'datatype' of input '${name}'`),
    shape,
    parameters,
    binarySize: binarySize as number | undefined,
    data: input["data"],
  };
}

function outputOf(value: unknown, isBinaryDefault: boolean): JsonOutput {
  const output = object(value, "an output");
  const name = text(output["name"], "'name' of an output");
  const parameters = parametersOf(output["parameters"], `output '${name}'`);
  const isBinary = takeFlag(parameters, "binary_data") ?? isBinaryDefault;
  return { name, parameters, isBinary };
}

/** Takes a parameter that only HTTP knows out of the map. */
function takeFlag(
  parameters: Map<string, ParameterValue> | undefined,
  key: string,
): boolean | undefined {
  const value = parameters?.get(key);
  if (value === undefined) return undefined;
  if (typeof value !== "boolean") throw badJson(`parameter '${key}' must be true or false`);
  parameters?.delete(key);
  return value;
}

function parametersOf(value: unknown, of: string): Map<string, ParameterValue> | undefined {
  if (value === undefined) return undefined;
  const parameters = new Map<string, ParameterValue>();
  for (const [key, entry] of Object.entries(object(value, `'parameters' of ${of}`))) {
    if (typeof entry !== "string" && typeof entry !== "number" && typeof entry !== "boolean") {
      throw badJson(`parameter '${key}' of ${of} must be a string, a number, true or false`);
    }
    parameters.set(key, entry);
  }
  return parameters;
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw badJson(`${what} must be a JSON object`);
}

function list(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw badJson(
    value === undefined
      ? `Unable to parse '${name}': attempt to access non-existing object member '${name}'`
      : `'${name}' must be an array`,
  );
}

function text(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw badJson(`${what} must be a string`);
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
