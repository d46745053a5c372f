import type { ParameterValue } from "../core/index.ts";
import type { NamedInput, NamedTensor } from "../wire/pending-request.ts";
import { type FieldReader, malformed, wireType } from "./protobuf.ts";

/** Typed contents of an input, still encoded. */
export interface InferInput extends NamedInput {
  readonly contents: FieldReader | undefined;
}

/** The fields of a `ModelInferRequest` before its raw contents, as they come. */
export class InferHeader {
  model = "";
  version = "";
  id = "";
  parameters: Map<string, ParameterValue> | undefined;
  readonly inputs: InferInput[] = [];
  readonly outputs: NamedTensor[] = [];

  /** Takes the field that `reader` has just met; an unknown one is passed over. */
  read(reader: FieldReader): void {
    switch (reader.field) {
      case 1:
        reader.expect(wireType.LEN);
        this.model = reader.string();
        return;
      case 2:
        reader.expect(wireType.LEN);
        this.version = reader.string();
        return;
      case 3:
        reader.expect(wireType.LEN);
        this.id = reader.string();
        return;
      case 4:
        reader.expect(wireType.LEN);
        this.parameters ??= new Map();
        readParameter(reader.message(), this.parameters);
        return;
      case 5:
        reader.expect(wireType.LEN);
        this.inputs.push(readInput(reader.message()));
        return;
      case 6:
        reader.expect(wireType.LEN);
        this.outputs.push(readOutput(reader.message()));
        return;
      default:
        reader.skip();
    }
  }
}

function readInput(reader: FieldReader): InferInput {
  let name = "";
  let datatype = "";
  const shape: number[] = [];
  let parameters: Map<string, ParameterValue> | undefined;
  let contents: FieldReader | undefined;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        reader.expect(wireType.LEN);
        name = reader.string();
        break;
      case 2:
        reader.expect(wireType.LEN);
        datatype = reader.string();
        break;
      case 3:
        readShape(reader, shape);
        break;
      case 4:
        reader.expect(wireType.LEN);
        parameters ??= new Map();
        readParameter(reader.message(), parameters);
        break;
      case 5:
        reader.expect(wireType.LEN);
        // Read at the end of the message, when the bytes here are others.
        contents = reader.message().copy();
        break;
      default:
        reader.skip();
    }
  }
  return { name, datatype, shape, parameters, contents };
}

function readOutput(reader: FieldReader): NamedTensor {
  let name = "";
  let parameters: Map<string, ParameterValue> | undefined;
  while (reader.next()) {
    if (reader.field === 1) {
      reader.expect(wireType.LEN);
      name = reader.string();
    } else if (reader.field === 2) {
      reader.expect(wireType.LEN);
      parameters ??= new Map();
      readParameter(reader.message(), parameters);
    } else reader.skip();
  }
  return { name, parameters };
}

/** Longest shape that is read; the core compares it with the model's. */
const maxRank = 64;

/** Packed or one by one, as either is allowed. */
function readShape(reader: FieldReader, shape: number[]): void {
  if (reader.wire === wireType.VARINT) {
    shape.push(Number(reader.int()));
  } else {
    reader.expect(wireType.LEN);
    const packed = reader.message();
    while (packed.at < packed.end && shape.length <= maxRank) shape.push(Number(packed.int()));
  }
  if (shape.length > maxRank) throw malformed(`a shape of more than ${maxRank} dimensions`);
}

/** One entry of a map of `InferParameter`. */
function readParameter(reader: FieldReader, into: Map<string, ParameterValue>): void {
  let key = "";
  let value: ParameterValue | undefined;
  while (reader.next()) {
    if (reader.field === 1) {
      reader.expect(wireType.LEN);
      key = reader.string();
    } else if (reader.field === 2) {
      reader.expect(wireType.LEN);
      value = readValue(reader.message()) ?? value;
    } else reader.skip();
  }
  if (value === undefined) throw malformed(`parameter '${key.slice(0, 80)}' has no value`);
  into.set(key, value);
}

function readValue(reader: FieldReader): ParameterValue | undefined {
  let value: ParameterValue | undefined;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        reader.expect(wireType.VARINT);
        value = reader.uint() !== 0;
        break;
      case 2:
        reader.expect(wireType.VARINT);
        value = reader.int();
        break;
      case 3:
        reader.expect(wireType.LEN);
        value = reader.string();
        break;
      case 4:
        reader.expect(wireType.I64);
        value = reader.double();
        break;
      case 5: {
        reader.expect(wireType.VARINT);
        const exact = reader.uint64();
        value = exact <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(exact) : exact;
        break;
      }
      default:
        reader.skip();
    }
  }
  return value;
}
