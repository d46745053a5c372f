import type { onnx } from "onnx-proto";
import { quote } from "../tensor/index.ts";
import type { ReadContext } from "./context.ts";
import type { OnnxAttribute, OnnxGraph } from "./model.ts";
import { readType } from "./value-info.ts";

type AttributeProto = onnx.IAttributeProto;

type Reader = (
  proto: AttributeProto,
  context: ReadContext,
  readGraph: (proto: onnx.IGraphProto) => OnnxGraph,
  label: string,
) => OnnxAttribute | null | undefined;

/** ONNX's number of each type of attribute, and how it is read; nothing if the value is missing. */
const readers: ReadonlyMap<number, Reader> = new Map<number, Reader>([
  [1, ({ f }) => ({ kind: "float", value: f ?? 0 })],
  [2, ({ i }, context, _, label) => ({ kind: "int", value: context.integer(i ?? 0, label) })],
  [3, ({ s }) => ({ kind: "string", value: text(s) })],
  [4, ({ t }, context) => t && { kind: "tensor", value: context.tensor(t) }],
  [5, ({ g }, _, readGraph) => g && { kind: "graph", value: readGraph(g) }],
  [6, ({ floats }) => ({ kind: "floats", value: floats ?? [] })],
  [
    7,
    ({ ints }, context, _, label) => ({
      kind: "ints",
      value: (ints ?? []).map((i) => context.integer(i, label)),
    }),
  ],
  [8, ({ strings }) => ({ kind: "strings", value: (strings ?? []).map(text) })],
  [
    9,
    ({ tensors }, context) => ({
      kind: "tensors",
      value: (tensors ?? []).map((t) => context.tensor(t)),
    }),
  ],
  [10, ({ graphs }, _, readGraph) => ({ kind: "graphs", value: (graphs ?? []).map(readGraph) })],
  [
    11,
    ({ sparseTensor }, context) =>
      sparseTensor && { kind: "tensor", value: context.sparseTensor(sparseTensor) },
  ],
  [
    12,
    ({ sparseTensors }, context) => ({
      kind: "tensors",
      value: (sparseTensors ?? []).map((t) => context.sparseTensor(t)),
    }),
  ],
  [13, ({ tp }, context, _, label) => tp && { kind: "type", value: readType(tp, label, context) }],
  [
    14,
    ({ typeProtos }, context, _, label) => ({
      kind: "types",
      value: (typeProtos ?? []).map((type) => readType(type, label, context)),
    }),
  ],
]);

/** @param owner the node, for messages */
export function readAttribute(
  proto: AttributeProto,
  owner: string,
  context: ReadContext,
  readGraph: (proto: onnx.IGraphProto) => OnnxGraph,
): OnnxAttribute {
  const label = `attribute ${quote(proto.name ?? "")} of ${owner}`;
  if (proto.refAttrName) {
    context.corrupt(
      `${label} refers to ${quote(proto.refAttrName)}, as only a function's body may`,
    );
  }
  const type = proto.type || guessType(proto);
  const reader = readers.get(type);
  if (reader === undefined) context.corrupt(`${label} has no type that ONNX knows (${type})`);
  return reader(proto, context, readGraph, label) ?? context.corrupt(`${label} has no value`);
}

/** The first files of ONNX left the type to be seen from the field in use; 0 if none is. */
function guessType(proto: AttributeProto): number {
  const present = (name: keyof AttributeProto) => Object.hasOwn(proto, name);
  const filled = (list: readonly unknown[] | null | undefined) => (list?.length ?? 0) > 0;
  if (present("f")) return 1;
  if (present("i")) return 2;
  if (present("s")) return 3;
  if (present("t")) return 4;
  if (present("g")) return 5;
  if (filled(proto.floats)) return 6;
  if (filled(proto.ints)) return 7;
  if (filled(proto.strings)) return 8;
  if (filled(proto.tensors)) return 9;
  return filled(proto.graphs) ? 10 : 0;
}

function text(bytes: Uint8Array | null | undefined): string {
  return bytes ? Buffer.from(bytes).toString("utf8") : "";
}
