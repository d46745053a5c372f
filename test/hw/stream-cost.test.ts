/** What the formulas of hw/cost say of stream modules, against Yosys for UltraScale+. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import {
  fifo,
  type HardwareModule,
  mvu,
  mvuMemories,
  type ParameterSpecs,
  type ParameterValues,
  portWidthBits,
  windowLine,
  windowMem,
} from "../../src/hwlib/index.ts";
import { CostModel } from "../../src/schedule/cost-model.ts";
import { randomCode } from "../support/flow.ts";
import { instance, rtlFiles, temporaryFolder, tools, yosys } from "../support/hw.ts";

const model = new CostModel();

const picture = {
  ...{ H: 16, W: 16, C: 4, X_W: 8, KH: 3, KW: 3, SH: 1, SW: 1, DH: 1, DW: 1 },
  ...{ PT: 1, PB: 1, PL: 1, PR: 1, PAD: 0 },
};

const unit = {
  ...{ K: 36, N: 16, SIMD: 9, PE: 4, ROWS: 1, PARALLEL: false, X_W: 8, X_SIGNED: false, W_W: 8 },
  ...{ ACC_W: 20, MULTIPLIER: 2, CHAIN: 3, MEMORY: 1, WEIGHTS: "w.hex", BIAS: "b.hex" },
};

const cases: [HardwareModule, ParameterValues<ParameterSpecs>][] = [
  [fifo, { WIDTH: 64, DEPTH: 64, STYLE: 0 }],
  [fifo, { WIDTH: 100, DEPTH: 2000, STYLE: 1 }],
  [windowLine, { ...picture, COLS: 1, STYLE: 0 }],
  [windowLine, { ...picture, C: 16, COLS: 1, STYLE: 1 }],
  [windowLine, { ...picture, COLS: 4, STYLE: 0 }],
  [windowMem, { ...picture, C: 32, P: 8, LINES: 4, CHANNEL_MAJOR: false, STYLE: 1 }],
  [mvu, unit],
  [mvu, { ...unit, K: 72, N: 36, SIMD: 6, PE: 6, X_W: 7, CHAIN: 6, MEMORY: 0 }],
  [mvu, { ...unit, K: 72, N: 4, SIMD: 18, X_W: 7, CHAIN: 6, MEMORY: 0, PARALLEL: true }],
  [mvu, { ...unit, N: 4, SIMD: 18, ROWS: 2, MEMORY: 0, CHAIN: 6, X_W: 7, PARALLEL: true }],
  [mvu, { ...unit, N: 4, SIMD: 12, ROWS: 4, MULTIPLIER: 1, CHAIN: 1, MEMORY: 0, PARALLEL: true }],
  // Weights that hardly change are constants to the synthesis.
  [mvu, { ...unit, N: 4, SIMD: 18, ROWS: 2, MULTIPLIER: 0, CHAIN: 1, MEMORY: 0, PARALLEL: true }],
  [mvu, { ...unit, K: 18, N: 4, SIMD: 18, ROWS: 2, MULTIPLIER: 0, CHAIN: 1, MEMORY: 0 }],
  [mvu, { ...unit, MULTIPLIER: 1, CHAIN: 1, PE: 3 }],
  [mvu, { ...unit, MULTIPLIER: 0, CHAIN: 1, PE: 2 }],
].map(([module, params]) => [module as HardwareModule, params as ParameterValues<ParameterSpecs>]);

/** LUTs of the RAM cells that Yosys maps to. */
const ramLuts: Readonly<Record<string, number>> = { RAM32M16: 8, RAM64M8: 8, RAM32M: 4, RAM64M: 4 };

function synthesize(
  folder: string,
  module: HardwareModule,
  params: ParameterValues<ParameterSpecs>,
) {
  const ports = Object.entries(module.ports).flatMap(([kind, list]) =>
    Object.entries(list).map(([name, width]) => {
      const direction = kind === "inputs" ? "input wire" : "output";
      return `${direction} logic [${portWidthBits(width, params) - 1}:0] ${name}`;
    }),
  );
  const text = `module top (${ports.join(", ")});\n${instance(module, params)}\nendmodule\n`;
  writeFileSync(join(folder, "top.sv"), text);
  yosys(folder, [
    `read_verilog -sv top.sv ${rtlFiles(module).join(" ")}`,
    "synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top top",
    "tee -q -o cells.txt stat",
  ]);
  const cost = { lut: 0, ff: 0, dsp: 0, bram36: 0 };
  const cells = readFileSync(join(folder, "cells.txt"), "utf8").matchAll(
    /^ {5}([A-Z]\w*) +(\d+)$/gm,
  );
  for (const [, kind, text] of cells) {
    const count = Number(text);
    if (/^(LUT\d|SRL)/.test(kind)) cost.lut += count;
    else if (/^FD/.test(kind)) cost.ff += count;
    else if (/^DSP/.test(kind)) cost.dsp += count;
    else if (kind === "RAMB36E2") cost.bram36 += count;
    else if (kind === "RAMB18E2") cost.bram36 += count / 2;
    else cost.lut += count * (ramLuts[kind] ?? 0);
  }
  return cost;
}

describe.skipIf(!tools.yosys)("formulas of stream modules", () => {
  const folder = temporaryFolder();

  const named = cases.map(
    ([module, params]) => [`${module.name} ${JSON.stringify(params)}`, module, params] as const,
  );

  it.each(named)("are right about %s", { timeout: 400_000 }, (_, module, params) => {
    const scope: Record<string, number> = {};
    for (const [key, value] of Object.entries(params)) {
      if (typeof value !== "string") scope[key] = Number(value);
    }
    if (module.name === mvu.name) {
      const p = params as unknown as typeof unit;
      const random = new Random(1);
      const weights = Array.from({ length: p.N }, () =>
        Array.from({ length: p.K }, () => randomCode(random, p.W_W, true)),
      );
      const bias = weights.map(() => randomCode(random, p.ACC_W, true));
      for (const [name, text] of mvuMemories(p, weights, bias))
        writeFileSync(join(folder.path, name), text);
    }
    const found = synthesize(folder.path, module, params);
    const estimate = model.module(module.name, scope);
    expect(estimate.dsp).toBe(found.dsp);
    expect(estimate.bram36).toBe(found.bram36);
    for (const kind of ["lut", "ff"] as const) {
      expect(Math.abs(estimate[kind] / found[kind] - 1)).toBeLessThan(0.15);
    }
  });
});
