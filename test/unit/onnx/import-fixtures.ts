import type {
  OnnxAttribute,
  OnnxDim,
  OnnxModel,
  OnnxNode,
  OnnxTensor,
  OnnxValueInfo,
} from "../../../src/onnx/index.ts";
import {
  type ElementType,
  elementTypes,
  makeTensor,
  type Shape,
} from "../../../src/tensor/index.ts";

/** A model as the reader would give it, in few words. */
export interface ModelText {
  readonly nodes: readonly OnnxNode[];
  readonly inputs?: Readonly<Record<string, readonly OnnxDim[] | null>>;
  readonly outputs: readonly string[];
  readonly constants?: Readonly<Record<string, OnnxTensor>>;
  readonly opset?: number;
  readonly localFunctions?: readonly string[];
  readonly valueInfo?: readonly OnnxValueInfo[];
}

export function modelOf(text: ModelText): OnnxModel {
  const { nodes, inputs = { x: ["N", 4] }, outputs, constants = {}, opset = 13 } = text;
  const domains = new Set(nodes.map(({ domain }) => domain).filter((domain) => domain !== ""));
  return {
    path: "model.onnx",
    irVersion: 8,
    producer: "",
    opsets: new Map([["", opset], ...[...domains].map((domain) => [domain, 1] as const)]),
    localFunctions: text.localFunctions ?? [],
    warnings: [],
    graph: {
      name: "net",
      nodes,
      inputs: Object.entries(inputs).map(([name, shape]) => ({
        name,
        shape,
        elementType: "float32",
      })),
      outputs: outputs.map((name) => ({ name, shape: null, elementType: "float32" })),
      initializers: new Map(Object.entries(constants)),
      valueInfo: new Map((text.valueInfo ?? []).map((info) => [info.name, info])),
    },
  };
}

/** Numbers are integers; a float is written `{ float: 1 }`. */
export type AttributeText =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | OnnxTensor;

/** @param opType with its domain before a colon, if it has one */
export function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeText>> = {},
  name = "",
): OnnxNode {
  const [domain, type] = opType.includes(":") ? opType.split(":") : ["", opType];
  const entries = Object.entries(attributes).map(
    ([key, value]) => [key, attributeOf(value)] as const,
  );
  return { name, domain, opType: type, inputs, outputs, attributes: new Map(entries) };
}

function attributeOf(value: AttributeText): OnnxAttribute {
  if (typeof value === "number") return { kind: "int", value };
  if (typeof value === "string") return { kind: "string", value };
  if ("float" in value) return { kind: "float", value: value.float };
  if ("elementType" in value) return { kind: "tensor", value };
  return { kind: "ints", value };
}

export function tensor(
  shape: Shape,
  data: readonly number[],
  elementType: ElementType = "float32",
): OnnxTensor {
  return { ...makeTensor(shape, data, elementTypes[elementType].dtype), elementType };
}

export const list = (...data: readonly number[]): OnnxTensor =>
  tensor([data.length], data, "int64");
