import { type Cell, isRegistered, type PipelineSegment, type Wire } from "../../design/index.ts";
import { type Overflow, type Rounding, roundings } from "../../fixed/index.ts";
import { originText } from "../../ir/index.ts";
import { expression, isSlice, literal, resize } from "./expression.ts";
import type { MemoryFiles } from "./memories.ts";

/** View of `verilog/pipeline.sv.hbs`. */
export interface PipelineView {
  readonly module: string;
  readonly network: string;
  readonly generator: string;
  readonly depthText: string;
  readonly isClocked: boolean;
  readonly inputMsb: string;
  readonly outputMsb: string;
  readonly sections: readonly { readonly origin: string; readonly lines: readonly string[] }[];
  /** The assignments of each clocked process. */
  readonly processes: readonly (readonly string[])[];
  readonly results: readonly string[];
}

export interface PipelineHeader {
  readonly module: string;
  readonly network: string;
  readonly generator: string;
}

/** The view of a pipeline, and the modules of the library that it instantiates. */
export function pipelineView(
  segment: PipelineSegment,
  header: PipelineHeader,
  memories: MemoryFiles,
): { view: PipelineView; uses: ReadonlySet<string> } {
  const writer = new PipelineWriter(segment, memories);
  const { depth } = segment.timing;
  const view = {
    ...header,
    depthText: depth === 0 ? "wires alone" : `${depth} registers deep`,
    isClocked: depth > 0,
    inputMsb: String(segment.inputBits - 1),
    outputMsb: String(segment.outputBits - 1),
    ...writer.write(),
  };
  return { view, uses: writer.uses };
}

/** Codes of the module's parameter OVERFLOW; a wrap that the interval excludes needs no logic. */
const overflowCodes: Record<Overflow, number> = { SAT: 0, SAT_SYM: 1, WRAP: 3 };

/** Synthesis takes the square of a process: Yosys does not come to an end with some ten thousand registers in one. */
const registersPerProcess = 64;

class PipelineWriter {
  readonly uses = new Set<string>();
  readonly #segment: PipelineSegment;
  readonly #memories: MemoryFiles;
  readonly #cells: readonly Cell[];
  readonly #sections: { origin: string; lines: string[] }[] = [];
  readonly #registers: string[] = [];

  constructor(segment: PipelineSegment, memories: MemoryFiles) {
    this.#segment = segment;
    this.#memories = memories;
    this.#cells = segment.netlist.cells;
  }

  write(): Pick<PipelineView, "sections" | "processes" | "results"> {
    this.#cells.forEach((cell, index) => {
      if (cell.net.kind === "const") return;
      const wire = index as Wire;
      this.#section(originText(cell.origin));
      this.#make(wire, cell);
      this.#delay(wire, cell);
    });
    return { sections: this.#sections, processes: this.#processes(), results: this.#results() };
  }

  #processes(): string[][] {
    const count = Math.ceil(this.#registers.length / registersPerProcess);
    return Array.from({ length: count }, (_, i) =>
      this.#registers.slice(i * registersPerProcess, (i + 1) * registersPerProcess),
    );
  }

  #section(origin: string): void {
    if (this.#sections.at(-1)?.origin !== origin) this.#sections.push({ origin, lines: [] });
  }

  #line(text: string): void {
    this.#sections.at(-1)?.lines.push(text);
  }

  /** The name of a wire in a cycle. */
  #name(wire: Wire, cycle: number): string {
    const later = cycle - this.#segment.timing.cycle[wire];
    return later === 0 ? `n${wire}` : `n${wire}_${later}`;
  }

  #declare(
    kind: "wire" | "logic",
    { signed, widthBits }: Pick<Cell, "signed" | "widthBits">,
    name: string,
  ): string {
    return `${kind} ${signed ? "signed " : ""}[${widthBits - 1}:0] ${name}`;
  }

  #make(wire: Wire, cell: Cell): void {
    const { net } = cell;
    const { timing, inputs } = this.#segment;
    const cycle = timing.cycle[wire];
    const name = this.#name(wire, cycle);
    const at = isRegistered(net) ? cycle - 1 : cycle;
    const nameOf = (read: Wire) => this.#name(read, at);
    switch (net.kind) {
      case "const":
        return;
      case "input": {
        const { offsetBits } = inputs[net.index];
        const slice = `x[${offsetBits + cell.widthBits - 1}:${offsetBits}]`;
        if (timing.hasInputRegister) {
          this.#line(`${this.#declare("logic", cell, name)};`);
          this.#registers.push(`${name} <= ${slice};`);
        } else {
          this.#line(`${this.#declare("wire", cell, name)} = ${slice};`);
        }
        return;
      }
      case "mul":
        this.#multiply(net.a, net.b, cell, name, nameOf);
        return;
      case "table":
        this.#table(wire, cell, name, nameOf);
        return;
      case "requantize":
        if (!isSlice(net)) {
          this.#requantize(net, cell, name, nameOf);
          return;
        }
        break;
    }
    this.#line(
      `${this.#declare("wire", cell, name)} = ${expression(net, cell, this.#cells, nameOf)};`,
    );
  }

  /** A product with a register behind it, as a DSP slice has it. */
  #multiply(a: Wire, b: Wire, cell: Cell, name: string, nameOf: (wire: Wire) => string): void {
    const product = { signed: true, widthBits: this.#signedBits(a) + this.#signedBits(b) };
    const side = (wire: Wire) =>
      `$signed(${resize(nameOf(wire), this.#cells[wire], product.widthBits)})`;
    this.#line(`${this.#declare("wire", product, `${name}_p`)} = ${side(a)} * ${side(b)};`);
    this.#line(`${this.#declare("logic", cell, name)};`);
    const wide = {
      net: { kind: "input", index: 0 },
      lo: 0n,
      hi: 0n,
      origin: cell.origin,
      ...product,
    } as const;
    this.#registers.push(`${name} <= ${resize(`${name}_p`, wide, cell.widthBits)};`);
  }

  #signedBits(wire: Wire): number {
    const { signed, widthBits } = this.#cells[wire];
    return widthBits + (signed ? 0 : 1);
  }

  #table(wire: Wire, cell: Cell, name: string, nameOf: (wire: Wire) => string): void {
    const { net } = cell;
    if (net.kind !== "table") return;
    const memory = this.#memories.table(net.lo, net.values, cell.widthBits);
    const module = isRegistered(net) ? "n2f_rom" : "n2f_lut";
    this.uses.add(module);
    const shape = `.DEPTH(${2 ** memory.addressBits}), .DATA_W(${memory.dataBits}), .ADDR_W(${memory.addressBits})`;
    const address = resize(nameOf(net.a), this.#cells[net.a], memory.addressBits);
    const clocked = isRegistered(net) ? ".clk(clk), .en(en), " : "";
    this.#line(`${this.#declare("wire", cell, name)};`);
    this.#line(
      `${module} #(${shape}, .INIT("${memory.file}")) u_n${wire} (${clocked}.addr(${address}), .data(${name}));`,
    );
  }

  #requantize(
    net: {
      readonly a: Wire;
      readonly shift: number;
      readonly rounding: Rounding;
      readonly overflow: Overflow;
    },
    cell: Cell,
    name: string,
    nameOf: (wire: Wire) => string,
  ): void {
    this.uses.add("n2f_requantize");
    const from = this.#cells[net.a];
    const parameters = [
      `.IN_W(${from.widthBits})`,
      `.IN_SIGNED(1'b${from.signed ? 1 : 0})`,
      `.OUT_W(${cell.widthBits})`,
      `.OUT_SIGNED(1'b${cell.signed ? 1 : 0})`,
      `.SHIFT(${net.shift})`,
      `.ROUNDING(${roundings.indexOf(net.rounding)})`,
      `.OVERFLOW(${overflowCodes[net.overflow]})`,
    ];
    this.#line(`${this.#declare("wire", cell, name)};`);
    this.#line(
      `n2f_requantize #(${parameters.join(", ")}) u_${name} (.x(${nameOf(net.a)}), .y(${name}));`,
    );
  }

  /** Copies of a wire for later cycles: registers, or for a mere shift the shifted copies of its source. */
  #delay(wire: Wire, cell: Cell): void {
    const { cycle, lastRead } = this.#segment.timing;
    for (let at = cycle[wire] + 1; at <= lastRead[wire]; at++) {
      const name = this.#name(wire, at);
      if (cell.net.kind === "shift_left") {
        const text = expression(cell.net, cell, this.#cells, (read) => this.#name(read, at));
        this.#line(`${this.#declare("wire", cell, name)} = ${text};`);
      } else {
        this.#line(`${this.#declare("logic", cell, name)};`);
        this.#registers.push(`${name} <= ${this.#name(wire, at - 1)};`);
      }
    }
  }

  #results(): string[] {
    const { netlist, outputs, outputBits, timing } = this.#segment;
    const lines: string[] = [];
    let end = 0;
    outputs.forEach(({ offsetBits, widthBits }, i) => {
      const wire = netlist.outputs[i];
      const cell = this.#cells[wire];
      const name = cell.net.kind === "const" ? "" : this.#name(wire, timing.depth);
      const range = `${offsetBits + widthBits - 1}:${offsetBits}`;
      lines.push(`assign y[${range}] = ${resize(name, cell, widthBits)};`);
      end = Math.max(end, offsetBits + widthBits);
    });
    if (end < outputBits)
      lines.push(`assign y[${outputBits - 1}:${end}] = ${literal(0n, outputBits - end)};`);
    return lines;
  }
}
