import { type Edge, Graph, layout } from "@dagrejs/dagre";
import type { NodeReport, OnnxModel, ValueReport } from "../../onnx/index.ts";

/** Something that the picture shows as a box: a node of the model, or one of its inputs or outputs. */
export type Box =
  | { readonly kind: "node"; readonly node: NodeReport }
  | {
      readonly kind: "port";
      readonly name: string;
      readonly isInput: boolean;
      readonly type: string;
    };

export interface PlacedBox {
  readonly box: Box;
  /** Centre and size, in pixels. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface PlacedEdge {
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly value: ValueReport;
}

export interface Placement {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly PlacedBox[];
  readonly edges: readonly PlacedEdge[];
}

const sizes = {
  node: { width: 204, height: 58 },
  port: { width: 180, height: 32 },
} as const;

/**
 * Places nodes in layers from top to bottom, in the order of the data. What is constant is not drawn, for it
 * becomes no hardware and would hide what does; the nodes that read it name it.
 */
export function placeModel(model: OnnxModel, nodes: readonly NodeReport[]): Placement {
  const graph = new Graph({ multigraph: true })
    .setGraph({ rankdir: "TB", nodesep: 26, ranksep: 38, edgesep: 14, marginx: 24, marginy: 16 })
    .setDefaultEdgeLabel(() => ({}));
  const boxes = new Map<string, Box>();
  const makers = new Map<string, string>();
  const add = (key: string, box: Box, size: { width: number; height: number }): void => {
    boxes.set(key, box);
    graph.setNode(key, { ...size });
  };
  for (const { name, elementType, shape } of model.graph.inputs) {
    const extents = shape?.map((dim) => dim ?? "?").join("×") ?? "?";
    makers.set(name, `i:${name}`);
    const type = `${elementType} ${extents}`.trim();
    add(`i:${name}`, { kind: "port", name, isInput: true, type }, sizes.port);
  }
  nodes.forEach((node, i) => {
    if (node.status === "folded") return;
    add(`n:${i}`, { kind: "node", node }, sizes.node);
    for (const { name } of node.outputs) makers.set(name, `n:${i}`);
  });
  const values = new Map<string, ValueReport>();
  const connect = (value: ValueReport, to: string): void => {
    const from = makers.get(value.name);
    if (from === undefined) return;
    const key = `${values.size}`;
    values.set(key, value);
    graph.setEdge(from, to, {}, key);
  };
  nodes.forEach((node, i) => {
    if (node.status === "folded") return;
    for (const value of node.inputs) connect(value, `n:${i}`);
  });
  for (const { name, elementType, shape } of model.graph.outputs) {
    const key = `o:${name}`;
    const made = nodes.flatMap(({ outputs }) => outputs).find((value) => value.name === name);
    const extents = made?.shape ?? shape?.map((dim) => dim ?? "?");
    const type = `${elementType} ${extents?.join("×") ?? "?"}`.trim();
    add(key, { kind: "port", name, isInput: false, type }, sizes.port);
    connect(made ?? { name }, key);
  }
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return {
    width,
    height,
    boxes: [...boxes].map(([key, box]) => {
      const { x = 0, y = 0, width, height } = graph.node(key) as PlacedBox;
      return { box, x, y, width, height };
    }),
    edges: graph.edges().map((edge: Edge) => ({
      points: (graph.edge(edge) as { points: PlacedEdge["points"] }).points,
      value: values.get(edge.name ?? "") as ValueReport,
    })),
  };
}
