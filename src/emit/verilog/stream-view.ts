import { assert } from "../../base/index.ts";
import type {
  ModuleNode,
  PipelineNode,
  StreamDesign,
  StreamEdge,
  StreamNode,
} from "../../design/index.ts";
import { library, parameterText, portWidthBits } from "../../hwlib/index.ts";
import { originText } from "../../ir/index.ts";

/** View of `verilog/stream-top.sv.hbs`. */
export interface StreamTopView {
  readonly module: string;
  readonly network: string;
  readonly generator: string;
  readonly source: string;
  readonly inputBeats: string;
  readonly inputBytes: string;
  readonly outputBeats: string;
  readonly outputBytes: string;
  readonly latency: string;
  readonly interval: string;
  readonly inputBeatMsb: string;
  readonly outputBeatMsb: string;
  readonly nodes: readonly NodeView[];
}

interface NodeView {
  /** What it is and where it comes from. */
  readonly title: string;
  readonly wires: readonly string[];
  readonly instances: readonly InstanceView[];
  readonly assigns: readonly string[];
}

interface InstanceView {
  readonly module: string;
  readonly name: string;
  /** Empty for none. */
  readonly parameters: string;
  readonly connections: readonly string[];
}

const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
const outside = -1;

/** The view of a streaming network's top, and the modules of the library that it instantiates. */
export function streamTopView(
  design: StreamDesign,
  source: string,
  generator: string,
): { view: StreamTopView; uses: ReadonlySet<string> } {
  const { input, output } = design;
  const writer = new StreamTopWriter(design);
  const nodes = design.nodes.map((node, at) => writer.node(node, at));
  return {
    uses: writer.uses,
    view: {
      module: design.top,
      network: design.name,
      generator,
      source,
      inputBeats: count(input.beats, "beat"),
      inputBytes: String(input.beatBytes),
      outputBeats: count(output.beats, "beat"),
      outputBytes: String(output.beatBytes),
      latency: String(design.latencyCycles),
      interval: count(design.intervalCycles, "cycle"),
      inputBeatMsb: String(input.beatBytes * 8 - 1),
      outputBeatMsb: String(output.beatBytes * 8 - 1),
      nodes,
    },
  };
}

class StreamTopWriter {
  readonly uses = new Set<string>(["n2f_fifo"]);
  readonly #design: StreamDesign;
  readonly #incoming: StreamEdge[][];
  readonly #outgoing: StreamEdge[][];

  constructor(design: StreamDesign) {
    this.#design = design;
    this.#incoming = design.nodes.map(() => []);
    this.#outgoing = design.nodes.map(() => []);
    for (const edge of design.edges) {
      if (edge.to.node !== outside) this.#incoming[edge.to.node][edge.to.port] = edge;
      if (edge.from.node !== outside) this.#outgoing[edge.from.node][edge.from.port] = edge;
    }
  }

  node(node: StreamNode, at: number): NodeView {
    const incoming = this.#incoming[at].filter(({ from }) => from.node !== outside);
    const outgoing = this.#outgoing[at].filter(({ to }) => to.node !== outside);
    const own = node.kind === "module" ? this.#module(node, at) : this.#pipeline(node, incoming);
    const fifos = incoming.map((edge) => this.#fifo(edge));
    const bits = node.kind === "pipeline" ? node.segment.outputBits : this.#resultBits(node);
    const wires =
      outgoing.length === 0
        ? []
        : [
            `wire [${bits - 1}:0] ${node.name}_data;`,
            `wire [${node.outputs - 1}:0] ${node.name}_valid;`,
            `wire [${node.outputs - 1}:0] ${node.name}_ready;`,
          ];
    return {
      title: `${node.name}: ${node.title}, for ${originText(node.origin)}`,
      wires: [...incoming.flatMap((edge) => this.#edgeWires(edge)), ...wires, ...own.wires],
      instances: [...fifos, ...own.instances],
      assigns: own.assigns,
    };
  }

  #resultBits({ module, params }: ModuleNode): number {
    const twin = library.get(module);
    assert(twin !== undefined, `there is no hardware module ${module}`);
    const width = twin.ports.outputs["m_data"];
    return width === undefined ? 0 : portWidthBits(width, params);
  }

  #edgeWires({ name, lanes, widthBits }: StreamEdge): string[] {
    return [
      `wire [${lanes * widthBits - 1}:0] ${name}_data;`,
      `wire ${name}_valid;`,
      `wire ${name}_ready;`,
    ];
  }

  #fifo(edge: StreamEdge): InstanceView {
    const { name, from, lanes, widthBits, depth, isBlockRam, fromBit } = edge;
    const producer = this.#design.nodes[from.node].name;
    const bits = lanes * widthBits;
    return {
      module: "n2f_fifo",
      name: `u_${name}`,
      parameters: `.WIDTH(${bits}), .DEPTH(${depth}), .STYLE(${isBlockRam ? 1 : 0})`,
      connections: connect([
        ["clk", "clk"],
        ["rst", "rst"],
        ["s_valid", `${producer}_valid[${from.port}]`],
        ["s_ready", `${producer}_ready[${from.port}]`],
        ["s_data", `${producer}_data[${fromBit + bits - 1}:${fromBit}]`],
        ["m_valid", `${name}_valid`],
        ["m_ready", `${name}_ready`],
        ["m_data", `${name}_data`],
      ]),
    };
  }

  #module(node: ModuleNode, at: number): Pick<NodeView, "wires" | "instances" | "assigns"> {
    this.uses.add(node.module);
    const twin = library.get(node.module);
    assert(twin !== undefined, `there is no hardware module ${node.module}`);
    const { name } = node;
    const edges = this.#incoming[at];
    const side = (suffix: string) => together(edges.map((edge) => `${edge.name}_${suffix}`));
    const known: Record<string, string> = {
      clk: "clk",
      rst: "rst",
      s_valid: side("valid"),
      s_ready: side("ready"),
      s_data: side("data"),
      m_valid: `${name}_valid`,
      m_ready: `${name}_ready`,
      m_data: `${name}_data`,
      packet_error: `unused_${name}_error`,
    };
    for (const axis of ["s_axis", "m_axis"])
      for (const signal of ["tdata", "tvalid", "tready", "tlast"])
        known[`${axis}_${signal}`] = `${axis}_${signal}`;
    ["a", "b"].forEach((letter, port) => {
      for (const signal of ["valid", "ready", "data"])
        known[`s_${letter}_${signal}`] = `${edges[port]?.name}_${signal}`;
    });
    const ports = [...Object.keys(twin.ports.inputs), ...Object.keys(twin.ports.outputs)];
    return {
      wires: ports.includes("packet_error") ? [`wire unused_${name}_error;`] : [],
      instances: [
        {
          module: node.module,
          name: `u_${name}`,
          parameters: parameters(node.params),
          connections: connect(
            ports.map((port) => {
              assert(known[port] !== undefined, `${node.module} has an unknown port ${port}`);
              return [port, known[port]];
            }),
          ),
        },
      ],
      assigns: [],
    };
  }

  #pipeline(
    node: PipelineNode,
    edges: readonly StreamEdge[],
  ): Pick<NodeView, "wires" | "instances" | "assigns"> {
    const { name, segment, constants } = node;
    const { depth } = segment.timing;
    const wires: string[] = [];
    const instances: InstanceView[] = [];
    const assigns: string[] = [];
    let [valid, ready, data] = ["valid", "ready", "data"].map(
      (signal) => `${edges[0].name}_${signal}`,
    );
    if (edges.length > 1) {
      this.uses.add("n2f_join");
      const bits = node.inputBits.reduce((a, b) => a + b, 0);
      [valid, ready, data] = ["valid", "ready", "data"].map((signal) => `${name}_s_${signal}`);
      wires.push(`wire ${valid};`, `wire ${ready};`, `wire [${bits - 1}:0] ${data};`);
      const side = (signal: string) => together(edges.map((edge) => `${edge.name}_${signal}`));
      instances.push({
        module: "n2f_join",
        name: `u_${name}_join`,
        parameters: `.WIDTH(${bits}), .N(${edges.length})`,
        connections: connect([
          ["s_valid", side("valid")],
          ["s_ready", side("ready")],
          ["s_data", side("data")],
          ["m_valid", valid],
          ["m_ready", ready],
          ["m_data", data],
        ]),
      });
    }
    let x = data;
    if (constants !== undefined) {
      this.uses.add("n2f_constants");
      wires.push(`wire [${constants.widthBits - 1}:0] ${name}_constants;`);
      instances.push({
        module: "n2f_constants",
        name: `u_${name}_constants`,
        parameters: parameters({
          WORDS: constants.words,
          DATA_W: constants.widthBits,
          INIT: constants.file,
        }),
        connections: connect([
          ["clk", "clk"],
          ["rst", "rst"],
          ["next", `${valid} && ${ready}`],
          ["data", `${name}_constants`],
        ]),
      });
      x = `{${name}_constants, ${data}}`;
    }
    const module = `${this.#design.top}_${name}`;
    const logic: [string, string][] = [
      ["x", x],
      ["y", `${name}_data`],
    ];
    if (depth > 0) {
      this.uses.add("n2f_pipe_valid");
      wires.push(`wire ${name}_en;`);
      instances.push({
        module: "n2f_pipe_valid",
        name: `u_${name}_valid`,
        parameters: `.STAGES(${depth})`,
        connections: connect([
          ["clk", "clk"],
          ["rst", "rst"],
          ["s_valid", valid],
          ["s_ready", ready],
          ["m_valid", `${name}_valid`],
          ["m_ready", `${name}_ready`],
          ["en", `${name}_en`],
        ]),
      });
      logic.unshift(["clk", "clk"], ["en", `${name}_en`]);
    } else {
      assigns.push(`assign ${name}_valid = ${valid};`, `assign ${ready} = ${name}_ready;`);
    }
    instances.push({ module, name: `u_${name}`, parameters: "", connections: connect(logic) });
    return { wires, instances, assigns };
  }
}

function parameters(values: ModuleNode["params"]): string {
  return Object.entries(values)
    .map(([key, value]) => `.${key}(${parameterText(value)})`)
    .join(", ");
}

/** Signals side by side, the first in the low bits. */
function together(signals: readonly string[]): string {
  return signals.length === 1 ? signals[0] : `{${[...signals].reverse().join(", ")}}`;
}

function connect(pairs: readonly (readonly [string, string])[]): string[] {
  return pairs.map(([port, net], i) => `.${port}(${net})${i < pairs.length - 1 ? "," : ""}`);
}
