/** Sizes of library modules as Yosys synthesizes them for UltraScale+. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Resources } from "../../src/artifact/index.ts";
import { Random } from "../../src/base/index.ts";
import {
  type DepthwiseParameters,
  depthwiseMemories,
  type HardwareModule,
  type MvuParameters,
  memoryImage,
  mvuMemories,
  type ParameterSpecs,
  type ParameterValues,
  portWidthBits,
  reorderMemory,
  type ScaleParameters,
  scaleMemory,
  type ThresholdParameters,
  thresholdMemory,
} from "../../src/hwlib/index.ts";
import { randomCode } from "./flow.ts";
import { instance, rtlFiles, yosys } from "./hw.ts";

/** A module and its parameters; those that name files of constants are left out. */
export interface Point {
  readonly module: HardwareModule;
  readonly params: Readonly<Record<string, number | boolean>>;
}

/** LUTs of the RAM cells that Yosys maps to. */
const ramLuts: Readonly<Record<string, number>> = {
  ...{ RAM32M16: 8, RAM64M8: 8, RAM32M: 4, RAM64M: 4 },
  ...{ RAM32X1S: 1, RAM64X1S: 1, RAM128X1S: 2, RAM256X1S: 4, RAM512X1S: 8, RAM32X16DR8: 8 },
  ...{ RAM32X1D: 2, RAM64X1D: 2, RAM128X1D: 4, RAM256X1D: 8 },
};

/**
 * Yosys commands that keep adders whole and multipliers multipliers, and leave the numbers in a file. (All of
 * `alumacc` before `synth_xilinx` would make LUTs of products before DSP slices are considered.)
 */
export function synthesisCommands(files: readonly string[], top: string, report: string): string[] {
  return [
    `read_verilog -sv -defer ${files.join(" ")}`,
    `hierarchy -top ${top}`,
    "proc; opt_expr; opt_clean; alumacc t:$mul %n; flatten",
    `synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top ${top}`,
    `tee -q -o ${report} stat`,
  ];
}

/**
 * A long path. Mapping minimises the levels of the longest path at any price, in a module by itself up to four
 * LUTs a bit for one level less; in a network longer paths are elsewhere. So each point has one beside it.
 */
const ballast = `module ballast (input wire logic clk, input wire logic [63:0] x, output logic y);
  logic [63:0] x_q;
  logic [64:0] chain;
  assign chain[0] = 1'b0;
  for (genvar i = 0; i < 64; i++) begin : gen_link
    assign chain[i+1] = i % 2 == 0 ? chain[i] | x_q[i] : chain[i] & x_q[i];
  end
  always_ff @(posedge clk) begin
    x_q <= x;
    y   <= chain[64];
  end
endmodule
`;

/**
 * What some points take, each by itself: one Yosys run for all of them, since most of the time of a small one
 * is the start.
 */
export function synthesizePoints(folder: string, points: readonly Point[]): Resources[] {
  const tops = points.map((point, i) => {
    const params = withFiles(folder, point, i);
    const { module } = point;
    const ports = Object.entries(module.ports).flatMap(([kind, list]) =>
      Object.entries(list).map(([name, width]) => ({
        direction: kind === "inputs" ? "input wire" : "output",
        range: `[${portWidthBits(width, params) - 1}:0]`,
        name,
      })),
    );
    const own = ports.map(({ direction, range, name }) => `${direction} logic ${range} ${name}`);
    const outer = ports
      .filter(({ name }) => name !== "clk")
      .map(({ direction, range, name }) => `${direction} logic ${range} p${i}_${name}`);
    const wires = ports.map(({ name }) => `.${name}(${name === "clk" ? name : `p${i}_${name}`})`);
    return {
      text: pointText(i, own, instance(module, params)),
      ports: outer,
      instance: `point_${i} i_${i} (.long_x, .long_y(long_y[${i}]), ${wires.join(", ")});`,
    };
  });
  const empty = tops.length;
  const modules = [...tops.map(({ text }) => text), pointText(empty, ["input wire logic clk"], "")];
  const ports = tops.flatMap((top) => top.ports).join(",\n  ");
  const instances = tops.map((top) => top.instance).join("\n");
  const top = `module top (
  input wire logic clk,
  input wire logic [63:0] long_x,
  output logic [${empty}:0] long_y,
  ${ports}
);
${instances}
point_${empty} i_${empty} (.clk, .long_x, .long_y(long_y[${empty}]));
endmodule
`;
  writeFileSync(join(folder, "top.sv"), [ballast, ...modules, top].join("\n"));
  const files = rtlFiles(...points.map(({ module }) => module));
  yosys(folder, synthesisCommands(["top.sv", ...files], "top", "cells.txt"));
  const report = readFileSync(join(folder, "cells.txt"), "utf8");
  const [none, ...rest] = [empty, ...points.keys()].map((i) =>
    countCells(sectionOf(report, `point_${i}`)),
  );
  return rest.map((found) => ({ ...found, lut: found.lut - none.lut, ff: found.ff - none.ff }));
}

/** A module that is kept by itself, with a long path. */
function pointText(index: number, ports: readonly string[], body: string): string {
  const all = ["input wire logic [63:0] long_x", "output logic long_y", ...ports];
  return `(* keep_hierarchy *)
module point_${index} (${all.join(", ")});
${body}
ballast long (.clk, .x(long_x), .y(long_y));
endmodule
`;
}

/** The part of Yosys' report on one module. */
function sectionOf(report: string, module: string): string {
  const after = report.split(`=== ${module} ===`)[1];
  if (after === undefined) throw new Error(`Yosys says nothing of ${module}`);
  return after.split("===")[0];
}

/** Adds up the cells of one part of Yosys' `stat`. */
export function countCells(section: string): Resources {
  const cost = { lut: 0, ff: 0, dsp: 0, bram36: 0 };
  for (const [, kind, text] of section.matchAll(/^ {5}([A-Z]\w*) +(\d+)$/gm)) {
    const count = Number(text);
    if (/^(LUT\d|SRL)/.test(kind)) cost.lut += count;
    else if (/^FD/.test(kind)) cost.ff += count;
    else if (/^DSP/.test(kind)) cost.dsp += count;
    else if (kind === "RAMB36E2") cost.bram36 += count;
    else if (kind === "RAMB18E2") cost.bram36 += count / 2;
    else if (/^RAM/.test(kind)) {
      if (ramLuts[kind] === undefined) throw new Error(`a RAM cell of unknown size: ${kind}`);
      cost.lut += count * ramLuts[kind];
    }
  }
  return cost;
}

/** The parameters of a point with files of random constants. */
function withFiles(
  folder: string,
  { module, params }: Point,
  index: number,
): ParameterValues<ParameterSpecs> {
  const files = constantsOf[module.name]?.(params, new Random(1)) ?? {};
  const names = Object.entries(files).map(([key, content]) => {
    const stem = `p${index}_${key.toLowerCase()}`;
    if (typeof content === "string") {
      writeFileSync(join(folder, `${stem}.hex`), content);
      return [key, `${stem}.hex`];
    }
    for (const [rest, text] of content) writeFileSync(join(folder, `${stem}${rest}`), text);
    return [key, stem];
  });
  return { ...params, ...Object.fromEntries(names) } as ParameterValues<ParameterSpecs>;
}

/** By parameter the text of its file, or of all files whose names begin with it, by what follows. */
type Files = Readonly<Record<string, string | ReadonlyMap<string, string>>>;

function codes(random: Random, count: number, bits: number, signed = true): bigint[] {
  return Array.from({ length: count }, () => randomCode(random, bits, signed));
}

const constantsOf: Readonly<Record<string, (params: Point["params"], random: Random) => Files>> = {
  n2f_mvu(params, random) {
    const p = { ...(params as unknown as MvuParameters), WEIGHTS: "", BIAS: "bias" };
    // Small ones are more frequent, as in networks; chains of slices could not hold large ones alone.
    const halves = () => codes(random, p.K, p.W_W);
    const weights = Array.from({ length: p.N }, () => {
      const more = halves();
      return halves().map((half, k) => (half + more[k]) >> 1n);
    });
    const files = new Map(mvuMemories(p, weights, codes(random, p.N, p.ACC_W)));
    const BIAS = files.get("bias") ?? "";
    files.delete("bias");
    return { WEIGHTS: p.MULTIPLIER === 2 ? files : (files.get("") ?? ""), BIAS };
  },
  n2f_depthwise(params, random) {
    const p = params as unknown as DepthwiseParameters;
    const weights = Array.from({ length: p.C }, () => codes(random, p.K, p.W_W));
    const memories = depthwiseMemories(p, weights, codes(random, p.C, p.ACC_W));
    return { WEIGHTS: memories.weights, BIAS: memories.bias };
  },
  n2f_loop: ({ WIDTH, BEATS }, random) => ({
    STATE: memoryImage(codes(random, Number(BEATS), Number(WIDTH), false), Number(WIDTH)),
  }),
  n2f_reorder({ IN_BEATS, OUT_BEATS }, random) {
    const beats = Number(IN_BEATS);
    const order = Array.from({ length: Number(OUT_BEATS) }, () => random.below(beats));
    return { ORDER: reorderMemory(beats, order) };
  },
  n2f_scale(params, random) {
    const p = params as unknown as ScaleParameters;
    const channels = p.P * p.BEATS;
    const factors = codes(random, channels, p.M_W);
    return { CONSTANTS: scaleMemory(p, factors, codes(random, channels, p.O_W)) };
  },
  n2f_threshold(params, random) {
    const p = params as unknown as ThresholdParameters;
    const lists = Array.from({ length: p.P * p.BEATS }, () =>
      codes(random, 2 ** p.Y_W - 1, p.X_W, p.X_SIGNED).sort((a, b) => Number(a - b)),
    );
    return { THRESHOLDS: thresholdMemory(p, lists) };
  },
  n2f_constants({ WORDS, DATA_W }, random) {
    const width = Number(DATA_W);
    return { INIT: memoryImage(codes(random, Number(WORDS), width, false), width) };
  },
};
