import onnxProto, { type onnx } from "onnx-proto";
import type { Shape } from "../../src/tensor/index.ts";

/** Integer types of quantized models: their number in ONNX, and their ends. */
export const codeTypes = {
  bool: { dataType: 9, lo: 0, hi: 1 },
  uint4: { dataType: 21, lo: 0, hi: 15 },
  int4: { dataType: 22, lo: -8, hi: 7 },
  uint8: { dataType: 2, lo: 0, hi: 255 },
  int8: { dataType: 3, lo: -128, hi: 127 },
  uint16: { dataType: 4, lo: 0, hi: 65535 },
  int16: { dataType: 5, lo: -32768, hi: 32767 },
  int32: { dataType: 6, lo: -(2 ** 31), hi: 2 ** 31 - 1 },
} as const;

export type CodeType = keyof typeof codeTypes;

type Attribute = number | string | readonly number[] | { readonly float: number };

const { AttributeProto, ModelProto } = onnxProto.onnx;

/** Writes an ONNX model node by node; each call gives the name of what it adds. */
export class ModelWriter {
  readonly #nodes: onnx.INodeProto[] = [];
  readonly #inputs: onnx.IValueInfoProto[] = [];
  readonly #constants: onnx.ITensorProto[] = [];

  input(name: string, shape: Shape, type: CodeType | "float32"): string {
    const elemType = type === "float32" ? 1 : codeTypes[type].dataType;
    const dim = shape.map((dimValue) => ({ dimValue }));
    this.#inputs.push({ name, type: { tensorType: { elemType, shape: { dim } } } });
    return name;
  }

  /** float32 numbers; one number without a shape is a scalar. */
  floats(data: readonly number[], dims: Shape = data.length === 1 ? [] : [data.length]): string {
    return this.#constant(1, dims, new Uint8Array(Float32Array.from(data).buffer));
  }

  codes(
    type: CodeType,
    data: readonly number[],
    dims: Shape = data.length === 1 ? [] : [data.length],
  ): string {
    return this.#constant(codeTypes[type].dataType, dims, bytesOf(type, data));
  }

  /** A list of int64, such as a shape, axes or paddings. */
  integers(data: readonly number[]): string {
    const { buffer } = BigInt64Array.from(data.map(BigInt));
    return this.#constant(7, [data.length], new Uint8Array(buffer));
  }

  /** @param inputs names; an empty one stands for an input that is left out */
  node(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = "",
  ): string {
    const name = `v${this.#nodes.length}`;
    this.#nodes.push({
      opType,
      domain,
      name: `${opType}_${this.#nodes.length}`,
      input: [...inputs],
      output: [name],
      attribute: Object.entries(attributes).map(([key, value]) => attributeOf(key, value)),
    });
    return name;
  }

  /** The model's bytes, with one output `y`. */
  finish(last: string, opset = 21): Uint8Array {
    const made = this.#nodes.find(({ output }) => output?.[0] === last);
    if (made !== undefined) made.output = ["y"];
    for (const node of this.#nodes)
      node.input = (node.input ?? []).map((n) => (n === last ? "y" : n));
    return ModelProto.encode({
      irVersion: 10,
      opsetImport: [
        { domain: "", version: opset },
        { domain: "com.microsoft", version: 1 },
      ],
      graph: {
        name: "made",
        node: this.#nodes,
        input: this.#inputs,
        initializer: this.#constants,
        output: [{ name: "y" }],
      },
    }).finish();
  }

  #constant(dataType: number, dims: Shape, rawData: Uint8Array): string {
    const name = `c${this.#constants.length}`;
    this.#constants.push({ name, dataType, dims: [...dims], rawData });
    return name;
  }
}

function bytesOf(type: CodeType, data: readonly number[]): Uint8Array {
  switch (type) {
    case "uint4":
    case "int4": {
      const bytes = new Uint8Array(Math.ceil(data.length / 2));
      data.forEach((code, i) => {
        bytes[i >> 1] |= (code & 15) << (4 * (i & 1));
      });
      return bytes;
    }
    case "bool":
    case "uint8":
      return Uint8Array.from(data);
    case "int8":
      return new Uint8Array(Int8Array.from(data).buffer);
    case "uint16":
      return new Uint8Array(Uint16Array.from(data).buffer);
    case "int16":
      return new Uint8Array(Int16Array.from(data).buffer);
    default:
      return new Uint8Array(Int32Array.from(data).buffer);
  }
}

function attributeOf(name: string, value: Attribute): onnx.IAttributeProto {
  const { AttributeType } = AttributeProto;
  if (typeof value === "string") {
    return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
  }
  if (typeof value === "number") return { name, type: AttributeType.INT, i: value };
  if ("float" in value) return { name, type: AttributeType.FLOAT, f: value.float };
  return { name, type: AttributeType.INTS, ints: [...value] };
}
