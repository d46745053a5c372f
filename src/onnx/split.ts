import onnxProto, { type onnx } from "onnx-proto";
import { fail } from "../base/index.ts";
import { quote } from "../tensor/index.ts";
import { decodeModel } from "./read.ts";

const { ModelProto, ValueInfoProto } = onnxProto.onnx;

/** Both halves of a model, as ONNX files. */
export interface SplitModel {
  /** From the model's inputs to the named value, which is its only output. */
  readonly front: Uint8Array;
  /** From the named value, which is its only input, to the model's outputs. */
  readonly rest: Uint8Array;
}

/**
 * Cuts a model at a value: the front for the FPGA, the rest for a processor beside it.
 *
 * @param bytes a model that `decodeModel` reads
 * @param path where it comes from, for messages
 * @param name a value inside the model, through which every way from the inputs to the outputs goes
 * @throws N2F_OPTION_INVALID where there is no such value, or ways lead around it
 * @throws N2F_ONNX_EXTERNAL for weights in other files, which neither half could find
 */
export function splitModel(bytes: Uint8Array, path: string, name: string): SplitModel {
  const checked = decodeModel(bytes, path);
  if (checked.hasExternalData === true) {
    fail("N2F_ONNX_EXTERNAL", "a model that keeps its weights in other files cannot be split", {
      at: path,
      hint: "Save it with its weights inside (onnx.save_model with save_as_external_data=False).",
    });
  }
  const proto = ModelProto.decode(bytes);
  const graph = proto.graph as onnx.IGraphProto;
  const nodes = checked.graph.nodes;
  if (!nodes.some(({ outputs }) => outputs.includes(name))) refuseName(checked.graph, name);

  const given = new Set(checked.graph.inputs.map((input) => input.name));
  const frontNodes = upstream(graph, new Set([name]));
  const restNodes = upstream(graph, new Set(checked.graph.outputs.map((o) => o.name)), name);
  const around = new Set<string>();
  const readsInput = (node: onnx.INodeProto): void => {
    for (const value of readsOf(node)) if (given.has(value)) around.add(value);
  };
  restNodes.forEach(readsInput);
  if (around.size > 0) {
    fail(
      "N2F_OPTION_INVALID",
      `${quote(name)} does not divide the model: outputs also depend on ${[...around].map(quote).join(", ")} by other ways`,
      {
        at: "--until",
        hint: "Name a value that every way from the inputs to the outputs goes through.",
      },
    );
  }
  // Where the file does not note the value's type it is float32, which it is in nearly all networks.
  const cut =
    graph.valueInfo?.find((info) => info.name === name) ??
    graph.output?.find((info) => info.name === name) ??
    ValueInfoProto.create({ name, type: { tensorType: { elemType: 1 } } });
  const half = (
    kept: readonly onnx.INodeProto[],
    edges: Pick<onnx.IGraphProto, "input" | "output">,
  ) => {
    const read = new Set(kept.flatMap((node) => [...readsOf(node)]));
    const input = (edges.input ?? []).filter((info) => read.has(info.name ?? ""));
    const initializer = (graph.initializer ?? []).filter((tensor) => read.has(tensor.name ?? ""));
    const sparseInitializer = (graph.sparseInitializer ?? []).filter((tensor) =>
      read.has(tensor.values?.name ?? ""),
    );
    return ModelProto.encode({
      ...proto,
      graph: { ...graph, node: [...kept], initializer, sparseInitializer, ...edges, input },
    }).finish();
  };
  const isInput = (info: onnx.IValueInfoProto) => given.has(info.name ?? "");
  return {
    front: half(frontNodes, { input: (graph.input ?? []).filter(isInput), output: [cut] }),
    rest: half(restNodes, { input: [cut], output: graph.output ?? [] }),
  };
}

function refuseName(graph: ReturnType<typeof decodeModel>["graph"], name: string): never {
  const names = graph.nodes.flatMap(({ outputs }) => outputs).filter((output) => output !== "");
  const some = names.length > 12 ? [...names.slice(0, 12), "..."] : names;
  return fail("N2F_OPTION_INVALID", `the model computes no value ${quote(name)}`, {
    at: "--until",
    hint: `Its values are ${some.join(", ")}; \`nn2fpga inspect\` lists the nodes.`,
  });
}

/** What a node reads: its inputs, and what graphs inside it take from outside. */
function readsOf(node: onnx.INodeProto): Set<string> {
  const reads = new Set((node.input ?? []).filter((value) => value !== ""));
  for (const attribute of node.attribute ?? []) {
    for (const inner of [attribute.g, ...(attribute.graphs ?? [])]) {
      for (const child of inner?.node ?? []) for (const value of readsOf(child)) reads.add(value);
      for (const output of inner?.output ?? []) reads.add(output.name ?? "");
    }
  }
  return reads;
}

/** The nodes that some values need, in the file's order; what is behind `stop` is not needed. */
function upstream(graph: onnx.IGraphProto, wanted: Set<string>, stop?: string): onnx.INodeProto[] {
  const makers = new Map<string, onnx.INodeProto>();
  for (const node of graph.node ?? [])
    for (const output of node.output ?? []) makers.set(output, node);
  const needed = new Set<onnx.INodeProto>();
  const open = [...wanted];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const maker = value === stop ? undefined : makers.get(value);
    if (maker === undefined || needed.has(maker)) continue;
    needed.add(maker);
    open.push(...readsOf(maker));
  }
  return (graph.node ?? []).filter((node) => needed.has(node));
}

/** The rest of a split model with the type of its input written down: runtimes want to know it. */
export function declareInput(
  rest: Uint8Array,
  name: string,
  shape: readonly (number | string)[],
): Uint8Array {
  const proto = ModelProto.decode(rest);
  const graph = proto.graph as onnx.IGraphProto;
  const dim = shape.map((extent) =>
    typeof extent === "string" ? { dimParam: extent } : { dimValue: extent },
  );
  const known = graph.input?.find((input) => input.name === name);
  const elemType = known?.type?.tensorType?.elemType ?? 1;
  const input = [{ name, type: { tensorType: { elemType, shape: { dim } } } }];
  return ModelProto.encode({ ...proto, graph: { ...graph, input } }).finish();
}
