import type { onnx } from "onnx-proto";
import { quote } from "../tensor/index.ts";
import { readAttribute } from "./attribute.ts";
import type { ReadContext } from "./context.ts";
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxTensor, OnnxValueInfo } from "./model.ts";
import { inOrder } from "./order.ts";
import { readValueInfo } from "./value-info.ts";

/** A graph, and what it takes from the graphs around it: names of values, with a reader of each. */
interface OpenGraph {
  readonly graph: OnnxGraph;
  readonly captured: ReadonlyMap<string, string>;
}

/** A node, and all that it reads: its inputs and what the graphs inside it take from outside. */
interface OpenNode {
  readonly node: OnnxNode;
  readonly label: string;
  readonly reads: ReadonlyMap<string, string>;
}

/**
 * The whole graph of a model, checked as `OnnxModel` promises.
 * @throws N2F_ONNX_CORRUPT, and what its tensors throw
 */
export function readMainGraph(proto: onnx.IGraphProto, context: ReadContext): OnnxGraph {
  const { graph, captured } = readGraph(proto, context);
  for (const [value, reader] of captured) {
    context.corrupt(`${reader} reads ${quote(value)}, which nothing makes`);
  }
  if (graph.outputs.length === 0) context.corrupt("the graph has no outputs");
  return graph;
}

function readGraph(proto: onnx.IGraphProto, context: ReadContext): OpenGraph {
  const initializers = readInitializers(proto, context);
  const declared = (proto.input ?? []).map((input) => readValueInfo(input, context));
  const inputs = declared.filter(({ name }) => !initializers.has(name));
  const outputs = (proto.output ?? []).map((output) => readValueInfo(output, context));
  const valueInfo = new Map<string, OnnxValueInfo>();
  for (const info of proto.valueInfo ?? []) {
    valueInfo.set(info.name ?? "", readValueInfo(info, context));
  }
  checkNames(declared, "inputs", context);
  checkNames(outputs, "outputs", context);

  const nodes = (proto.node ?? []).map((node) => readNode(node, context));
  const makers = findMakers(nodes, [...initializers.keys(), ...inputs.map((x) => x.name)], context);
  const captured = new Map<string, string>();
  const capture = (value: string, reader: string) => {
    if (!makers.has(value) && !captured.has(value)) captured.set(value, reader);
  };
  for (const { reads } of nodes) for (const [value, reader] of reads) capture(value, reader);
  for (const { name } of outputs) capture(name, `output ${quote(name)}`);

  const sorted = inOrder(nodes, ({ reads }) => makersOf(reads.keys(), makers));
  if (sorted.kind === "cycle") {
    const names = sorted.cycle.slice(0, 5).map(({ label }) => label);
    context.corrupt(`the graph goes in a circle: ${names.join(", ")}`);
  }
  return {
    graph: {
      name: proto.name ?? "",
      nodes: sorted.items.map(({ node }) => node),
      inputs,
      outputs,
      initializers,
      valueInfo,
    },
    captured,
  };
}

function readInitializers(
  proto: onnx.IGraphProto,
  context: ReadContext,
): ReadonlyMap<string, OnnxTensor> {
  const initializers = new Map<string, OnnxTensor>();
  const add = (name: string | null | undefined, tensor: OnnxTensor) => {
    if (!name) context.corrupt("an initializer has no name");
    if (initializers.has(name)) context.corrupt(`there are two initializers ${quote(name)}`);
    initializers.set(name, tensor);
  };
  for (const dense of proto.initializer ?? []) add(dense.name, context.tensor(dense));
  for (const sparse of proto.sparseInitializer ?? []) {
    add(sparse.values?.name, context.sparseTensor(sparse));
  }
  return initializers;
}

function checkNames(values: readonly OnnxValueInfo[], what: string, context: ReadContext): void {
  const names = new Set<string>();
  for (const { name } of values) {
    if (name === "") context.corrupt(`one of the graph's ${what} has no name`);
    if (names.has(name)) context.corrupt(`two of the graph's ${what} are called ${quote(name)}`);
    names.add(name);
  }
}

function readNode(proto: onnx.INodeProto, context: ReadContext): OpenNode {
  const name = proto.name ?? "";
  const opType = proto.opType ?? "";
  const inputs = proto.input ?? [];
  const outputs = proto.output ?? [];
  const called = quote(name || outputs.find((output) => output !== "") || "");
  const label = `node ${called} (${opType.slice(0, 80)})`;
  if (opType === "") context.corrupt(`${label} has no operator`);
  if (outputs.every((output) => output === "")) context.corrupt(`${label} has no outputs`);

  const reads = new Map<string, string>();
  const readInside = (graph: onnx.IGraphProto): OnnxGraph => {
    const inside = readGraph(graph, context);
    for (const [value, reader] of inside.captured) reads.set(value, `${reader}, inside ${label},`);
    return inside.graph;
  };
  const attributes = new Map<string, OnnxAttribute>();
  for (const attribute of proto.attribute ?? []) {
    const key = attribute.name ?? "";
    if (key === "") context.corrupt(`${label} has an attribute without a name`);
    if (attributes.has(key)) context.corrupt(`${label} has two attributes ${quote(key)}`);
    attributes.set(key, readAttribute(attribute, label, context, readInside));
  }
  for (const input of inputs) if (input !== "") reads.set(input, label);
  const node = {
    name,
    domain: standardDomain(proto.domain ?? ""),
    opType,
    inputs,
    outputs,
    attributes,
  };
  return { node, label, reads };
}

/** The standard's domain has two names. */
export function standardDomain(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}

/** Which node makes each value; nothing for a value that is given. */
function findMakers(
  nodes: readonly OpenNode[],
  given: readonly string[],
  context: ReadContext,
): ReadonlyMap<string, OpenNode | undefined> {
  const makers = new Map<string, OpenNode | undefined>(given.map((name) => [name, undefined]));
  for (const maker of nodes) {
    for (const output of maker.node.outputs) {
      if (output === "") continue;
      if (makers.has(output)) {
        const other = makers.get(output)?.label ?? "an input or initializer";
        context.corrupt(`${maker.label} makes ${quote(output)}, which ${other} makes too`);
      }
      makers.set(output, maker);
    }
  }
  return makers;
}

function* makersOf(
  values: Iterable<string>,
  makers: ReadonlyMap<string, OpenNode | undefined>,
): Generator<OpenNode> {
  for (const value of values) {
    const maker = makers.get(value);
    if (maker !== undefined) yield maker;
  }
}
