import onnxProto, { type onnx } from "onnx-proto";
import type { Random } from "../../src/base/index.ts";
import { constantsFor } from "./constants-for.ts";

const { ModelProto } = onnxProto.onnx;

type Model = onnx.ModelProto;
type Graph = onnx.IGraphProto;

/** Numbers at which programs break. */
const integers = [
  0,
  1,
  -1,
  2,
  3,
  7,
  -2,
  64,
  1000,
  65_536,
  2 ** 24,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 40,
  2 ** 53,
  2 ** 62,
  -(2 ** 63),
];
const reals = [0, -0, 1, -1, 0.5, 1e-30, 1e30, 3.4e38, Infinity, -Infinity, Number.NaN];
const names = ["", "x", "y", "unheard-of", "a\u0000b", "\u{1f600}", "n".repeat(1000)];

/** Breaks a whole model in one to four places. Which ones depends on the random numbers alone. */
export function mutateModel(
  bytes: Uint8Array,
  random: Random,
): { readonly bytes: Uint8Array; readonly how: readonly string[] } {
  const how: string[] = [];
  if (random.below(5) === 0) {
    const [name, mutate] = pick(random, byteMutations);
    return { bytes: mutate(Uint8Array.from(bytes), random), how: [name] };
  }
  const model = ModelProto.decode(bytes);
  const times = 1 + random.below(3);
  for (let i = 0; i < times; i++) {
    const [name, mutate] = pick(random, messageMutations);
    how.push(name);
    mutate(model, random);
  }
  let broken = ModelProto.encode(model).finish();
  if (random.below(12) === 0) {
    const [name, mutate] = pick(random, byteMutations);
    how.push(name);
    broken = mutate(Uint8Array.from(broken), random);
  }
  return { bytes: broken, how };
}

/** Makes some of a model's inputs constants, as real models have axes, shapes and weights. */
export function withConstants(bytes: Uint8Array, folder: string, random: Random): Uint8Array {
  if (random.below(10) < 3) return bytes;
  const model = ModelProto.decode(bytes);
  const graph = model.graph as Graph;
  const from = random.below(4) === 0 ? random.below(3) : 1;
  const tensors = constantsFor(folder, graph.input?.length ?? 0);
  graph.input = (graph.input ?? []).filter((input, i) => {
    const tensor = tensors[i];
    if (i < from || tensor === undefined) return true;
    graph.initializer = [...(graph.initializer ?? []), { ...tensor, name: input.name ?? "" }];
    return false;
  });
  return ModelProto.encode(model).finish();
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)];
}

/** An element of a list that may be empty or absent. */
function some<T>(random: Random, list: readonly T[] | null | undefined): T | undefined {
  return list && list.length > 0 ? pick(random, list) : undefined;
}

type ByteMutation = (bytes: Uint8Array, random: Random) => Uint8Array;

const byteMutations: readonly (readonly [string, ByteMutation])[] = [
  [
    "bits flipped",
    (bytes, random) => {
      const times = 1 + random.below(8);
      for (let i = 0; i < times && bytes.length > 0; i++) {
        bytes[random.below(bytes.length)] ^= 1 << random.below(8);
      }
      return bytes;
    },
  ],
  ["cut off", (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1))],
  [
    "bytes set",
    (bytes, random) => {
      const at = random.below(bytes.length + 1);
      return bytes.fill(random.below(256), at, at + random.below(16));
    },
  ],
  [
    "bytes moved",
    (bytes, random) => {
      const [to, from] = [random.below(bytes.length + 1), random.below(bytes.length + 1)];
      return bytes.copyWithin(to, from, from + random.below(64));
    },
  ],
  [
    "bytes put in",
    (bytes, random) => {
      const at = random.below(bytes.length + 1);
      const more = Uint8Array.from({ length: 1 + random.below(8) }, () => random.below(256));
      return Uint8Array.from([...bytes.subarray(0, at), ...more, ...bytes.subarray(at)]);
    },
  ],
];

type MessageMutation = (model: Model, random: Random) => void;

const graphOf = (model: Model): Graph => model.graph ?? {};
const nodesOf = (model: Model): onnx.INodeProto[] => graphOf(model).node ?? [];

function tensorsOf(model: Model): onnx.ITensorProto[] {
  const attributes = nodesOf(model).flatMap((node) => node.attribute ?? []);
  const values = attributes.flatMap(({ t }) => (t ? [t] : []));
  return [...(graphOf(model).initializer ?? []), ...values];
}

function valuesOf(model: Model): string[] {
  const graph = graphOf(model);
  return [
    ...(graph.input ?? []).map(({ name }) => name ?? ""),
    ...(graph.initializer ?? []).map(({ name }) => name ?? ""),
    ...(graph.node ?? []).flatMap((node) => node.output ?? []),
  ];
}

/** A list with one element changed, doubled, dropped, or put in. */
function brokenList<T>(list: readonly T[], random: Random, make: () => T): T[] {
  const copy = [...list];
  const at = random.below(copy.length + 1);
  switch (random.below(4)) {
    case 0:
      copy.splice(at, 1);
      break;
    case 1:
      copy.splice(at, 0, make());
      break;
    case 2:
      copy.splice(at, 0, copy[at] ?? make());
      break;
    default:
      copy[Math.min(at, Math.max(0, copy.length - 1))] = make();
  }
  return copy;
}

const messageMutations: readonly (readonly [string, MessageMutation])[] = [
  [
    "an extent of an input",
    (model, random) => {
      const shape = some(random, graphOf(model).input)?.type?.tensorType?.shape;
      if (!shape) return;
      shape.dim = brokenList(shape.dim ?? [], random, () =>
        random.below(6) === 0 ? { dimParam: "N" } : { dimValue: pick(random, integers) },
      );
    },
  ],
  [
    "the type of an input or output",
    (model, random) => {
      const { input, output } = graphOf(model);
      const type = some(random, random.below(3) > 0 ? input : output)?.type?.tensorType;
      if (type) type.elemType = random.below(30);
    },
  ],
  [
    "the shape of a constant",
    (model, random) => {
      const tensor = some(random, tensorsOf(model));
      if (tensor) {
        tensor.dims = brokenList(tensor.dims ?? [], random, () => pick(random, integers));
      }
    },
  ],
  [
    "a constant cut",
    (model, random) => {
      const tensor = some(random, tensorsOf(model));
      if (tensor?.rawData?.length) {
        tensor.rawData = tensor.rawData.subarray(0, random.below(tensor.rawData.length));
      }
      if (tensor?.floatData?.length) tensor.floatData.splice(random.below(3));
      if (tensor?.int64Data?.length) tensor.int64Data.splice(random.below(3));
    },
  ],
  [
    "numbers of a constant",
    (model, random) => {
      const tensor = some(random, tensorsOf(model));
      if (!tensor?.rawData?.length) return;
      const data = Buffer.from(tensor.rawData);
      const times = 1 + random.below(3);
      for (let i = 0; i < times; i++) {
        if (tensor.dataType === 7 && data.length >= 8) {
          const at = 8 * random.below(Math.floor(data.length / 8));
          data.writeBigInt64LE(BigInt.asIntN(64, BigInt(pick(random, integers))), at);
        } else if (tensor.dataType === 1 && data.length >= 4) {
          data.writeFloatLE(pick(random, reals), 4 * random.below(Math.floor(data.length / 4)));
        } else data[random.below(data.length)] = random.below(256);
      }
      tensor.rawData = data;
    },
  ],
  [
    "the type of a constant",
    (model, random) => {
      const tensor = some(random, tensorsOf(model));
      if (tensor) tensor.dataType = random.below(30);
    },
  ],
  [
    "a number of an attribute",
    (model, random) => {
      const attribute = some(random, some(random, nodesOf(model))?.attribute);
      if (!attribute) return;
      if (attribute.type === 1) attribute.f = pick(random, reals);
      if (attribute.type === 2) attribute.i = pick(random, integers);
      if (attribute.type === 3) attribute.s = Buffer.from(pick(random, [...names, "SAME_UPPER"]));
      if (attribute.type === 6) {
        attribute.floats = brokenList(attribute.floats ?? [], random, () => pick(random, reals));
      }
      if (attribute.type === 7) {
        attribute.ints = brokenList(attribute.ints ?? [], random, () => pick(random, integers));
      }
    },
  ],
  [
    "the type of an attribute",
    (model, random) => {
      const attribute = some(random, some(random, nodesOf(model))?.attribute);
      if (attribute) attribute.type = random.below(16);
    },
  ],
  [
    "an attribute more or less",
    (model, random) => {
      const node = some(random, nodesOf(model));
      if (!node) return;
      const common = ["axis", "axes", "perm", "pads", "strides", "kernel_shape", "group", "mode"];
      node.attribute = brokenList(node.attribute ?? [], random, () =>
        random.below(2) === 0
          ? { name: pick(random, common), type: 2, i: pick(random, integers) }
          : { name: pick(random, common), type: 7, ints: [pick(random, integers), 1] },
      );
    },
  ],
  [
    "the inputs of a node",
    (model, random) => {
      const node = some(random, nodesOf(model));
      if (!node) return;
      // Values of later nodes make circles.
      const values = [...valuesOf(model), ...names];
      node.input = brokenList(node.input ?? [], random, () => pick(random, values));
    },
  ],
  [
    "the outputs of a node",
    (model, random) => {
      const node = some(random, nodesOf(model));
      if (!node) return;
      const values = [...valuesOf(model), ...names];
      node.output = brokenList(node.output ?? [], random, () => pick(random, values));
    },
  ],
  [
    "an operator",
    (model, random) => {
      const node = some(random, nodesOf(model));
      if (node) node.opType = pick(random, operators);
    },
  ],
  [
    "a domain",
    (model, random) => {
      const node = some(random, nodesOf(model));
      if (node) node.domain = pick(random, ["com.microsoft", "ai.onnx", "qonnx", ...names]);
    },
  ],
  [
    "the nodes",
    (model, random) => {
      const graph = graphOf(model);
      const nodes = graph.node ?? [];
      const make = (): onnx.INodeProto => ({
        opType: pick(random, operators),
        input: [pick(random, [...valuesOf(model), ""]), pick(random, [...valuesOf(model), ""])],
        output: [pick(random, [...names, ...(graph.output ?? []).map(({ name }) => name ?? "")])],
      });
      graph.node = random.below(4) === 0 ? [...nodes].reverse() : brokenList(nodes, random, make);
    },
  ],
  [
    "the graph's inputs and outputs",
    (model, random) => {
      const graph = graphOf(model);
      const make = (): onnx.IValueInfoProto => ({ name: pick(random, valuesOf(model)) });
      if (random.below(2) === 0) graph.input = brokenList(graph.input ?? [], random, make);
      else graph.output = brokenList(graph.output ?? [], random, make);
    },
  ],
  [
    "the version of the operators",
    (model, random) => {
      const versions = [...Array.from({ length: 28 }, (_, i) => i), ...integers];
      model.opsetImport = [{ version: pick(random, versions) }];
    },
  ],
  [
    "a body inside a node",
    (model, random) => {
      const node = some(random, nodesOf(model));
      if (!node) return;
      const attribute = { name: "body", type: 5, g: graphOf(ModelProto.decode(encoded(model))) };
      node.attribute = [...(node.attribute ?? []), attribute];
    },
  ],
];

function encoded(model: Model): Uint8Array {
  return ModelProto.encode(model).finish();
}

const operators = `
  Add Sub Mul Div Pow Mod Min Max Sum Mean Relu Sigmoid Tanh Softmax LogSoftmax Clip Cast Identity Reshape
  Transpose Concat Split Slice Gather Squeeze Unsqueeze Flatten Expand Tile Pad Where ConstantOfShape Range
  Shape Size MatMul Gemm Conv ConvTranspose MaxPool AveragePool GlobalAveragePool BatchNormalization
  LayerNormalization ReduceSum ReduceMax ReduceMean ReduceProd ArgMax TopK Resize Upsample DepthToSpace
  SpaceToDepth LSTM GRU RNN Einsum Attention QuantizeLinear DequantizeLinear QLinearConv QLinearMatMul
  NonZero Constant Equal Not And If Loop Scan NoSuchOperator
`
  .trim()
  .split(/\s+/);
