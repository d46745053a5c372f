import type { Design, ParallelDesign, StreamDesign } from "../../design/index.ts";
import { matvecMemories, moduleFiles } from "../../hwlib/index.ts";
import { renderTemplate } from "../template.ts";
import { MemoryFiles } from "./memories.ts";
import { pipelineView } from "./pipeline-view.ts";
import { streamTopView } from "./stream-view.ts";
import { topView } from "./top-view.ts";

/** The Verilog of a design. */
export interface VerilogOutput {
  /** Generated modules and memory files by name, relative to the bundle's `rtl/`. */
  readonly files: ReadonlyMap<string, string>;
  /** Files of the module library, relative to `hw/rtl`. */
  readonly library: readonly string[];
  /** All Verilog files in the order in which tools want them: used before user. Library files by base name. */
  readonly sources: readonly string[];
}

export interface VerilogOptions {
  /** Name of the user's model file. */
  readonly source: string;
  readonly generator: string;
}

/** Writes a design as Verilog: wiring of the library's modules, and the unrolled logic. */
export function emitVerilog(design: Design, options: VerilogOptions): VerilogOutput {
  return design.architecture === "parallel"
    ? emitParallel(design, options)
    : emitStream(design, options);
}

function emitParallel(
  design: ParallelDesign,
  { source, generator }: VerilogOptions,
): VerilogOutput {
  const memories = new MemoryFiles();
  const modules = new Map<string, string>();
  const uses = new Set<string>(["n2f_axis_unpack", "n2f_axis_pack", "n2f_pipe_valid"]);
  const files = new Map<string, string>();
  for (const segment of design.segments) {
    if (segment.kind === "engine") {
      uses.add("n2f_matvec");
      const { weights, bias } = matvecMemories(segment.params, segment.weights, segment.bias);
      files.set(segment.params.WEIGHTS, weights);
      files.set(segment.params.BIAS, bias);
      continue;
    }
    const module = `${design.top}_${segment.name}`;
    const written = pipelineView(segment, { module, network: design.name, generator }, memories);
    for (const use of written.uses) uses.add(use);
    modules.set(`${module}.sv`, renderTemplate("verilog/pipeline.sv.hbs", written.view));
  }
  modules.set(
    `${design.top}.sv`,
    renderTemplate("verilog/top.sv.hbs", topView(design, source, generator)),
  );
  return output(modules, new Map([...files, ...memories.files]), uses);
}

function emitStream(design: StreamDesign, { source, generator }: VerilogOptions): VerilogOutput {
  const memories = new MemoryFiles();
  const modules = new Map<string, string>();
  const { view, uses: used } = streamTopView(design, source, generator);
  const uses = new Set(used);
  for (const node of design.nodes) {
    if (node.kind !== "pipeline") continue;
    const module = `${design.top}_${node.name}`;
    const header = { module, network: design.name, generator };
    const written = pipelineView(node.segment, header, memories);
    for (const use of written.uses) uses.add(use);
    modules.set(`${module}.sv`, renderTemplate("verilog/pipeline.sv.hbs", written.view));
  }
  modules.set(`${design.top}.sv`, renderTemplate("verilog/stream-top.sv.hbs", view));
  return output(modules, new Map([...design.memories, ...memories.files]), uses);
}

function output(
  modules: ReadonlyMap<string, string>,
  memories: ReadonlyMap<string, string>,
  uses: ReadonlySet<string>,
): VerilogOutput {
  const library = moduleFiles(uses);
  const baseNames = library.map((file) => file.slice(file.lastIndexOf("/") + 1));
  return {
    files: new Map([...modules, ...memories]),
    library,
    sources: [...baseNames, ...modules.keys()],
  };
}
