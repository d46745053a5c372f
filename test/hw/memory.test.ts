import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import { addressBits, constants, lut, memoryImage, rom } from "../../src/hwlib/index.ts";
import {
  buildVectorBench,
  instance,
  rtlFiles,
  synthesizeCells,
  temporaryFolder,
  tools,
} from "../support/hw.ts";

/** DEPTH, DATA_W, and whether there is a file. */
const shapes: [number, number, boolean][] = [
  [1, 1, true],
  [1, 70, true],
  [2, 3, true],
  [5, 8, true],
  [16, 33, true],
  [100, 129, true],
  [7, 4, false],
];

const seed = 11;

function makeContents(random: Random, folder: string) {
  return shapes.map(([depth, width, hasFile], i) => {
    const words = Array.from({ length: depth }, () =>
      hasFile ? random.bigintBetween(0n, (1n << BigInt(Math.min(width, 60))) - 1n) : 0n,
    ).map((word) => (hasFile && width > 60 ? (word << BigInt(width - 60)) | 1n : word));
    const file = hasFile ? `memory${i}.hex` : "";
    if (hasFile) writeFileSync(join(folder, file), memoryImage(words, width));
    return {
      words,
      params: { DEPTH: depth, DATA_W: width, ADDR_W: addressBits(depth), INIT: file },
    };
  });
}

describe.skipIf(!tools.verilator)(`memories under Verilator, seed ${seed}`, () => {
  const folder = temporaryFolder();

  it("n2f_rom gives the word a cycle later and holds it without enable; n2f_lut at once", () => {
    const random = new Random(seed);
    const contents = makeContents(random, folder.path);
    // x is [enable, addr]; y is [word of the table, word of the memory].
    const bench = buildVectorBench(
      folder.path,
      contents.map(({ params }) => {
        const { ADDR_W, DATA_W } = params;
        const addr = `x[0+:${ADDR_W}]`;
        return {
          xBits: ADDR_W + 1,
          yBits: 2 * DATA_W,
          body: [
            instance(rom, params, { en: `x[${ADDR_W}]`, addr, data: `y[0+:${DATA_W}]` }, "clocked"),
            instance(lut, params, { addr, data: `y[${DATA_W}+:${DATA_W}]` }, "direct"),
          ].join("\n"),
        };
      }),
      rtlFiles(rom, lut),
    );
    const plan = Array.from({ length: 400 }, (_, cycle) =>
      contents.map(({ words }) => ({
        enabled: cycle === 0 || random.below(3) > 0,
        addr: cycle < words.length ? cycle : random.below(words.length),
      })),
    );
    const answers = bench.run(
      plan.map((lanes) =>
        lanes.map(({ enabled, addr }, i) => {
          const top = BigInt(contents[i].params.ADDR_W);
          return BigInt(addr) | ((enabled ? 1n : 0n) << top);
        }),
      ),
    );
    contents.forEach(({ words, params }, i) => {
      let held: bigint | undefined;
      plan.forEach((lanes, cycle) => {
        const { enabled, addr } = lanes[i];
        const answer = answers[cycle][i];
        const width = BigInt(params.DATA_W);
        expect(answer >> width).toBe(words[addr]);
        if (held !== undefined) expect(BigInt.asUintN(params.DATA_W, answer)).toBe(held);
        if (enabled) held = words[addr];
      });
    });
  });
});

describe.skipIf(!tools.verilator)("words in turn under Verilator", () => {
  const folder = temporaryFolder();

  it("n2f_constants gives its words in turn, the next one when it is told to", () => {
    const random = new Random(seed);
    const contents = makeContents(random, folder.path).filter(({ params }) => params.INIT !== "");
    // x is [next, reset].
    const bench = buildVectorBench(
      folder.path,
      contents.map(({ params: { DEPTH, DATA_W, INIT } }) => ({
        xBits: 2,
        yBits: DATA_W,
        body: instance(
          constants,
          { WORDS: DEPTH, DATA_W, INIT },
          { rst: "x[0]", next: "x[1]", data: `y[0+:${DATA_W}]` },
          "turns",
        ),
      })),
      rtlFiles(constants),
    );
    const at = contents.map(() => 0);
    const rows = Array.from({ length: 400 }, (_, cycle) =>
      contents.map(({ words }, i) => {
        const reset = cycle === 0 || random.below(50) === 0;
        const next = random.below(3) > 0;
        if (reset) at[i] = 0;
        else if (next) at[i] = (at[i] + 1) % words.length;
        return { x: (next ? 2n : 0n) | (reset ? 1n : 0n), y: words[at[i]] };
      }),
    );
    const answers = bench.run(rows.map((row) => row.map(({ x }) => x)));
    rows.forEach((row, cycle) => {
      row.forEach(({ y }, i) => {
        // What is registered in a cycle is seen in the next.
        if (cycle + 1 < rows.length) expect(answers[cycle + 1][i]).toBe(y);
      });
    });
  });
});

describe.skipIf(!tools.yosys)("memories in Yosys, for a Xilinx device", () => {
  const folder = temporaryFolder();

  it("n2f_rom becomes block RAM, n2f_lut becomes LUTs", () => {
    const random = new Random(seed + 2);
    const words = Array.from({ length: 1024 }, () => random.bigintBetween(0n, 0x1ffn));
    writeFileSync(join(folder.path, "words.hex"), memoryImage(words, 9));
    const params = { DEPTH: 1024, DATA_W: 9, ADDR_W: 10, INIT: "words.hex" };
    const cells = synthesizeCells(folder.path, {
      ports: [
        "input wire logic clk, en",
        "input wire logic [9:0] addr",
        "output logic [8:0] clocked_data, direct_data",
      ].join(", "),
      body: [
        instance(rom, params, { data: "clocked_data" }, "clocked"),
        instance(lut, params, { data: "direct_data" }, "direct"),
      ].join("\n"),
      files: rtlFiles(rom, lut),
    });
    expect(cells.get("RAMB18E1")).toBe(1);
    expect(cells.get("LUT6")).toBeGreaterThan(0);
    expect([...cells.keys()].filter((cell) => cell.startsWith("FD"))).toEqual([]);
  });
});
