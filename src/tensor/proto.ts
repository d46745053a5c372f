import type { onnx } from "onnx-proto";
import { fail, type ProblemCode } from "../base/index.ts";
import { dataTypeName } from "./data-type.ts";
import {
  byteCount,
  decodeElements,
  type ElementType,
  elementTypes,
  integerRange,
  maxElements,
  maxRank,
} from "./element.ts";
import type { ExternalReference } from "./external.ts";
import { exactBigInt, exactNumber, type Int64, standInForLimit } from "./int64.ts";
import type { NamedTensor } from "./named-tensor.ts";
import { quote } from "./quote.ts";
import { bfloat16, float16, smallFloatTable } from "./small-float.ts";
import { type Shape, shapeText } from "./tensor.ts";
import type { WireSchema } from "./wire.ts";

type TensorProto = onnx.ITensorProto;

/** Whose tensor it is: what a contradiction is called, and what becomes of 64-bit integers. */
export interface TensorSource {
  /** The file, for messages. */
  readonly at: string;
  /**
   * A fault in a `model` is N2F_ONNX_CORRUPT, and the int64 limits that exporters write for
   * "to the end" become +-(2^53 - 1); a fault in `data` is N2F_DATA_FORMAT.
   */
  readonly kind: "model" | "data";
  /** Fetches data kept outside the file; without it such tensors are refused. */
  readonly external?: (reference: ExternalReference) => Uint8Array;
}

/**
 * Decodes an ONNX TensorProto: raw, typed or external data.
 *
 * @throws N2F_ONNX_CORRUPT or N2F_DATA_FORMAT (see `TensorSource`) where shape and data disagree,
 *   or for a 64-bit integer that is not exact as a double
 * @throws N2F_ONNX_DTYPE for strings, complex numbers, and floats or integers of other widths
 * @throws N2F_ONNX_EXTERNAL for external data without a resolver, and what the resolver throws
 * @see https://github.com/onnx/onnx/blob/v1.22.0/onnx/onnx.proto (TensorProto)
 */
export function decodeTensorProto(proto: TensorProto, source: TensorSource): NamedTensor {
  const name = proto.name ?? "";
  const decoder = new Decoder(
    name === "" ? "a tensor without a name" : `tensor ${quote(name)}`,
    source,
  );
  const elementType = decoder.elementType(proto.dataType ?? 0);
  const shape = decoder.shape(proto.dims ?? []);
  const data = decoder.data(proto, elementType, shape);
  const { dtype } = elementTypes[elementType];
  return { name, tensor: { shape, dtype, data }, elementType };
}

/** Schema of TensorProto for `wireFault`. */
export const tensorWireSchema: WireSchema = {
  Tensor: {
    1: "int64s",
    2: "int32",
    3: "Segment",
    4: "floats",
    5: "int32s",
    6: "text",
    7: "int64s",
    8: "text",
    9: "text",
    10: "doubles",
    11: "int64s",
    12: "text",
    13: "StringEntry",
    14: "int32",
  },
  Segment: { 1: "int64", 2: "int64" },
  StringEntry: { 1: "text", 2: "text" },
};

const externalLocation = 1;

class Decoder {
  readonly #label: string;
  readonly #source: TensorSource;

  constructor(label: string, source: TensorSource) {
    this.#label = label;
    this.#source = source;
  }

  elementType(code: number): ElementType {
    const name = dataTypeName(code);
    if (name !== undefined && name in elementTypes) return name as ElementType;
    if (code === 0) this.#contradiction("does not say of which type its elements are");
    fail("N2F_ONNX_DTYPE", `${this.#label} has elements of type ${name ?? code}`, {
      at: this.#source.at,
      hint: `Convert it to one of ${Object.keys(elementTypes).join(", ")}.`,
    });
  }

  shape(dims: readonly Int64[]): Shape {
    if (dims.length > maxRank) this.#contradiction(`has ${dims.length} axes`);
    const shape = dims.map((dim) => exactNumber(dim) ?? Number.POSITIVE_INFINITY);
    const text = () => `[${dims.map(exactBigInt).join(",")}]`;
    if (shape.some((extent) => extent < 0)) this.#contradiction(`has the shape ${text()}`);
    const extents = shape.reduce((product, extent) => product * Math.max(extent, 1), 1);
    if (!(extents <= maxElements)) {
      this.#contradiction(`has the shape ${text()}, more than ${maxElements} elements`);
    }
    return shape;
  }

  data(proto: TensorProto, type: ElementType, shape: Shape): Float64Array {
    if (proto.segment) this.#contradiction("is one segment of a tensor, which is not supported");
    const count = shape.reduce((product, extent) => product * extent, 1);
    const location = proto.dataLocation ?? 0;
    if (location === externalLocation) return this.#external(proto, type, count);
    if (location !== 0) this.#contradiction(`keeps its data at the unknown place ${location}`);
    const raw = proto.rawData;
    if (raw?.length) {
      if (countTyped(proto) > 0) this.#contradiction("has its data twice, raw and typed");
      return this.#raw(raw, type, count, shape);
    }
    return this.#typed(proto, type, count, shape);
  }

  #external(proto: TensorProto, type: ElementType, count: number): Float64Array {
    const entries = new Map(proto.externalData?.map(({ key, value }) => [key ?? "", value ?? ""]));
    const { external, at } = this.#source;
    if (external === undefined) {
      fail("N2F_ONNX_EXTERNAL", `${this.#label} keeps its data in another file`, {
        at,
        hint: "Save the tensor with its data inside.",
      });
    }
    const expected = byteCount(type, count);
    const bytes = external({
      label: this.#label,
      location: entries.get("location") ?? "",
      offset: entries.get("offset"),
      length: entries.get("length"),
      byteCount: expected,
    });
    if (bytes.length !== expected) this.#contradiction("has lost a part of its external data");
    return decodeElements(bytes, type, count, this.#wide(type));
  }

  #raw(raw: Uint8Array, type: ElementType, count: number, shape: Shape): Float64Array {
    const expected = byteCount(type, count);
    if (raw.length !== expected) {
      this.#contradiction(
        `has ${raw.length} bytes of data; ${type} of shape ${shapeText(shape)} takes ${expected}`,
      );
    }
    return decodeElements(raw, type, count, this.#wide(type));
  }

  #typed(proto: TensorProto, type: ElementType, count: number, shape: Shape): Float64Array {
    const list = typedField(proto, type);
    const isPacked = elementTypes[type].bits === 4;
    const expected = isPacked ? byteCount(type, count) : count;
    if (list.length !== expected || countTyped(proto) !== expected) {
      this.#contradiction(
        `has ${countTyped(proto)} numbers; ${type} of shape ${shapeText(shape)} takes ${expected}`,
      );
    }
    if (isPacked) {
      const bytes = Uint8Array.from(this.#integers(list, "uint8"));
      return decodeElements(bytes, type, count, this.#wide(type));
    }
    if (type === "float16" || type === "bfloat16") {
      const table = smallFloatTable(type === "float16" ? float16 : bfloat16);
      return this.#integers(list, "uint16").map((bits) => table[bits]);
    }
    if (elementTypes[type].dtype === "float") return new Float64Array(list as number[]);
    if (type === "bool") return mapNumbers(list, (value) => (value === 0 ? 0 : 1));
    return this.#integers(list, type);
  }

  #integers(list: readonly Int64[], type: ElementType): Float64Array {
    const { low, high } = integerRange(type);
    const wide = this.#wide(type);
    return mapNumbers(list, (value) => {
      const exact = exactNumber(value);
      if (exact === undefined) return wide(exactBigInt(value));
      if (exact >= low && exact <= high) return exact;
      return this.#contradiction(`holds ${exact}, which is no ${type}`);
    });
  }

  #wide(type: ElementType): (value: bigint) => number {
    return (value) => {
      const standIn = this.#source.kind === "model" ? standInForLimit(value) : undefined;
      return (
        standIn ??
        this.#contradiction(
          `holds the ${type} ${value}, which is beyond 2^53 and would lose digits`,
          "Use numbers between -(2^53 - 1) and 2^53 - 1.",
        )
      );
    };
  }

  #contradiction(what: string, hint?: string): never {
    const { at, kind } = this.#source;
    const code: ProblemCode = kind === "model" ? "N2F_ONNX_CORRUPT" : "N2F_DATA_FORMAT";
    fail(code, `${this.#label} ${what}`, {
      at,
      hint: hint ?? "The file is damaged or was written by a faulty program; export it again.",
    });
  }
}

function typedField(proto: TensorProto, type: ElementType): readonly Int64[] {
  switch (type) {
    case "float32":
      return proto.floatData ?? [];
    case "float64":
      return proto.doubleData ?? [];
    case "int64":
      return proto.int64Data ?? [];
    case "uint32":
    case "uint64":
      return proto.uint64Data ?? [];
    default:
      return proto.int32Data ?? [];
  }
}

/** Numbers in all typed fields together: only one of them may be in use. */
function countTyped(proto: TensorProto): number {
  const { floatData, doubleData, int32Data, int64Data, uint64Data } = proto;
  return [floatData, doubleData, int32Data, int64Data, uint64Data].reduce(
    (sum, list) => sum + (list?.length ?? 0),
    0,
  );
}

/** Many times as fast as `Float64Array.from`. */
function mapNumbers<T>(list: readonly T[], convert: (value: T) => number): Float64Array {
  const data = new Float64Array(list.length);
  for (let i = 0; i < data.length; i++) data[i] = convert(list[i]);
  return data;
}
