import onnxProto, { type onnx } from "onnx-proto";
import type { AttrValue } from "../../src/ir/index.ts";
import { makeTensor, type Shape, type Tensor } from "../../src/tensor/index.ts";

type Ort = typeof import("onnxruntime-node");

/** An operator in the words of ONNX: a chain of nodes, of which the last makes the result. */
export interface OnnxTwin {
  readonly nodes: readonly OnnxTwinNode[];
  /** Further inputs by name, besides the arguments `x0`, `x1`, ... */
  readonly constants?: Readonly<Record<string, OnnxTwinConstant>>;
}

export interface OnnxTwinNode {
  readonly opType: string;
  /** `previous` is the result of the node before. */
  readonly inputs: readonly string[];
  readonly attrs?: Readonly<Record<string, Exclude<AttrValue, boolean>>>;
}

export interface OnnxTwinConstant {
  readonly dims: Shape;
  readonly float?: readonly number[];
  readonly int?: readonly number[];
}

/** The newest opset whose operators the twins are written in. */
const opset = 21;

const { AttributeProto, GraphProto, ModelProto, TensorProto } = onnxProto.onnx;
const { AttributeType } = AttributeProto;
const { DataType } = TensorProto;

/** Attributes that ONNX keeps as float; other numbers are integers. */
const floatAttributes = new Set(["alpha", "beta", "epsilon"]);

/** The bytes of a model of these nodes, with inputs of the given shapes and one output `y`. */
export function encodeTwin(twin: OnnxTwin, shapes: readonly Shape[]): Uint8Array {
  const last = twin.nodes.length - 1;
  const graph = GraphProto.create({
    name: "twin",
    node: twin.nodes.map((node, i) => ({
      opType: node.opType,
      input: node.inputs.map((name) => (name === "previous" ? `t${i - 1}` : name)),
      output: [i === last ? "y" : `t${i}`],
      attribute: Object.entries(node.attrs ?? {}).map(([name, value]) => attribute(name, value)),
    })),
    input: shapes.map((shape, i) => ({
      name: `x${i}`,
      type: {
        tensorType: {
          elemType: DataType.FLOAT,
          shape: { dim: shape.map((dimValue) => ({ dimValue })) },
        },
      },
    })),
    initializer: Object.entries(twin.constants ?? {}).map(([name, { dims, float, int }]) => ({
      name,
      dims: [...dims],
      dataType: float === undefined ? DataType.INT64 : DataType.FLOAT,
      ...(float && { floatData: [...float] }),
      ...(int && { int64Data: [...int] }),
    })),
    output: [{ name: "y" }],
  });
  const model = ModelProto.create({
    irVersion: 8,
    opsetImport: [{ domain: "", version: opset }],
    graph,
  });
  return ModelProto.encode(model).finish();
}

function attribute(name: string, value: Exclude<AttrValue, boolean>): onnx.IAttributeProto {
  if (typeof value === "string") {
    return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
  }
  if (typeof value !== "number") return { name, type: AttributeType.INTS, ints: [...value] };
  return floatAttributes.has(name)
    ? { name, type: AttributeType.FLOAT, f: value }
    : { name, type: AttributeType.INT, i: value };
}

/** ONNX Runtime, if it is installed. */
export async function loadOnnxRuntime(): Promise<Ort | undefined> {
  try {
    const ort = await import("onnxruntime-node");
    return ort.default ?? ort;
  } catch {
    return undefined;
  }
}

/** Runs a twin in float32. */
export async function runTwin(ort: Ort, twin: OnnxTwin, args: readonly Tensor[]): Promise<Tensor> {
  const model = encodeTwin(
    twin,
    args.map(({ shape }) => shape),
  );
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: "disabled",
    logSeverityLevel: 3,
  });
  try {
    const feeds = args.map(
      ({ shape, data }, i) =>
        [`x${i}`, new ort.Tensor("float32", Float32Array.from(data), shape)] as const,
    );
    const { y } = await session.run(Object.fromEntries(feeds));
    const data = Array.from(y.data as Iterable<number | bigint>, Number);
    return makeTensor([...y.dims], data, y.type === "float32" ? "float" : "int");
  } finally {
    await session.release();
  }
}
