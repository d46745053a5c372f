import type {
  EdgeEnd,
  ModuleNode,
  ParameterValue,
  PipelineNode,
  StreamEdge,
  StreamNode,
} from "../../design/index.ts";
import type { Origin } from "../../ir/index.ts";
import {
  beatsOf,
  dividingLanes,
  elementsOf,
  isPadded,
  type Layout,
  lanesForRate,
} from "./layout.ts";

/** The output of a node that is being planned. */
export interface Stream {
  readonly from: EdgeEnd;
  readonly layout: Layout;
  /** Bits of an element. */
  readonly widthBits: number;
  /** First bit of these elements in the node's beat. */
  readonly fromBit: number;
}

/** The outside, as the end of the edges of the packets. */
export const outside = -1;

/** Outputs of one fork, at most. */
const widestFork = 15;

/** The fewest lanes without fillers in which a vector takes no longer. */
function unpaddedLanes({ vector, lanes }: Layout): number {
  return lanesForRate(1, vector, Math.ceil(vector / lanes));
}

/** Collects nodes and edges. Depths of FIFOs come later; every edge starts with the least. */
export class NetworkBuilder {
  readonly nodes: StreamNode[] = [];
  readonly edges: StreamEdge[] = [];
  readonly #memories: (() => Iterable<readonly [string, string]>)[] = [];
  #origin: Origin = { node: "", type: "" };

  /** Files of memories by name and text; written when the network is the one that is taken. */
  remember(write: () => Iterable<readonly [string, string]>): void {
    this.#memories.push(write);
  }

  memories(): ReadonlyMap<string, string> {
    return new Map(this.#memories.flatMap((write) => [...write()]));
  }

  /** Nodes made from here on belong to this node of the model. */
  from(origin: Origin): void {
    this.#origin = origin;
  }

  /** The name that the next node will have: numbered, so that instances stand in the order of the data. */
  nextName(what: string): string {
    return `n${this.nodes.length}_${what}`;
  }

  module(
    module: string,
    what: string,
    title: string,
    params: Readonly<Record<string, ParameterValue>>,
    ports: { readonly inputs: number; readonly outputs: number } = { inputs: 1, outputs: 1 },
  ): number {
    const node: ModuleNode = {
      kind: "module",
      name: this.nextName(what),
      origin: this.#origin,
      title,
      module,
      params,
      ...ports,
    };
    return this.nodes.push(node) - 1;
  }

  pipeline(node: Omit<PipelineNode, "kind" | "origin">): number {
    return this.nodes.push({ kind: "pipeline", origin: this.#origin, ...node }) - 1;
  }

  connect(stream: Stream, to: EdgeEnd): void {
    this.edges.push({
      name: `e${this.edges.length}`,
      from: stream.from,
      to,
      lanes: stream.layout.lanes,
      widthBits: stream.widthBits,
      beats: beatsOf(stream.layout),
      depth: 2,
      isBlockRam: false,
      fromBit: stream.fromBit,
    });
  }

  /** A node's only output. */
  output(node: number, layout: Layout, widthBits: number): Stream {
    return { from: { node, port: 0 }, layout, widthBits, fromBit: 0 };
  }

  /** As many copies of a stream as are wanted. */
  fork(stream: Stream, count: number): Stream[] {
    if (count === 1) return [stream];
    const { lanes } = stream.layout;
    const copy = { ...stream, fromBit: 0 };
    return this.forkParts(stream, lanes * stream.widthBits, new Array<Stream>(count).fill(copy));
  }

  /** Streams that lie side by side in one beat, each on a way of its own. */
  forkParts(from: Stream, beatBits: number, parts: readonly Stream[]): Stream[] {
    const ways = Math.min(parts.length, widestFork);
    const node = this.module(
      "n2f_fork",
      "fork",
      `to ${ways} readers`,
      { WIDTH: beatBits, N: ways },
      { inputs: 1, outputs: ways },
    );
    const whole = { ...from.layout, vector: from.layout.vector };
    this.connectBits(from.from, { node, port: 0 }, beatBits, beatsOf(whole), from.fromBit);
    if (parts.length === ways)
      return parts.map((part, port) => ({ ...part, from: { node, port } }));
    // The last way of a full fork is split further.
    const own = parts.slice(0, ways - 1).map((part, port) => ({ ...part, from: { node, port } }));
    const last = { ...from, from: { node, port: ways - 1 }, fromBit: 0 };
    return [...own, ...this.forkParts(last, beatBits, parts.slice(ways - 1))];
  }

  /** An edge of beats whose parts matter to nobody on the way. */
  connectBits(from: EdgeEnd, to: EdgeEnd, bits: number, beats: number, fromBit = 0): void {
    this.edges.push({
      name: `e${this.edges.length}`,
      from,
      to,
      lanes: 1,
      widthBits: bits,
      beats,
      depth: 2,
      isBlockRam: false,
      fromBit,
    });
  }

  /** The same elements as vectors of another length, in beats of other lanes. */
  convert(stream: Stream, vector: number, lanes: number): Stream {
    const { layout } = stream;
    if (layout.vector === vector) return this.#resize(stream, lanes);
    const elements = elementsOf(layout);
    // A vector's beats begin anew, so shorter vectors that divide it may begin there too.
    if (isPadded(layout) && layout.vector % vector === 0 && vector % lanes === 0) {
      const { layout: beats, ...exact } = this.#resize(stream, lanes);
      return { ...exact, layout: { vectors: elements / vector, vector, lanes: beats.lanes } };
    }
    if (elements % vector !== 0)
      throw new Error(`${elements} elements are no vectors of ${vector}`);
    const plain = isPadded(layout) ? this.#resize(stream, unpaddedLanes(layout)) : stream;
    const view = (length: number, of: Stream): Stream => ({
      ...of,
      layout: { vectors: elements / length, vector: length, lanes: of.layout.lanes },
    });
    const P = plain.layout.lanes;
    if (vector % P === 0) return this.#resize(view(vector, plain), lanes);
    const exact = vector % lanes === 0 ? lanes : dividingLanes(vector, lanes);
    const joined = this.#resize(view(elements, plain), exact);
    return this.#resize(view(vector, joined), lanes);
  }

  #resize(stream: Stream, lanes: number): Stream {
    const { layout, widthBits } = stream;
    if (layout.lanes === lanes) return stream;
    const params = { X_W: widthBits, ROWS: 1, V: layout.vector, P_IN: layout.lanes, P_OUT: lanes };
    const title = `${layout.lanes} lanes to ${lanes}`;
    const node = this.module("n2f_width", "width", title, params);
    this.connect(stream, { node, port: 0 });
    return this.output(node, { ...layout, lanes }, widthBits);
  }
}
