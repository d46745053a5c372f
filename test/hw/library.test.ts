import { describe, expect, it } from "vitest";
import {
  adderTree,
  addressBits,
  checkParameters,
  dot,
  library,
  matvecDrainCycles,
  matvecMemories,
  memoryImage,
  moduleFiles,
  packWord,
  parameterText,
  pipeValid,
  requantizeParameters,
  rom,
} from "../../src/hwlib/index.ts";
import { sampleParameters } from "../support/hw-samples.ts";

describe("moduleFiles", () => {
  it("names what is used before what uses it, each once", () => {
    expect(moduleFiles(["n2f_matvec", "n2f_rom", "n2f_pipe_valid"])).toEqual([
      "mem/n2f_rom.sv",
      "arith/n2f_adder_tree.sv",
      "arith/n2f_dot.sv",
      "nn/n2f_matvec.sv",
      "stream/n2f_pipe_valid.sv",
    ]);
  });

  it("knows every part of every module", () => {
    expect(moduleFiles(library.keys())).toHaveLength(library.size);
    expect(() => moduleFiles(["n2f_nothing"])).toThrow("there is no hardware module n2f_nothing");
  });
});

describe("checkParameters", () => {
  it("accepts the samples", () => {
    for (const [name, module] of library) {
      for (const params of sampleParameters[name]) checkParameters(module, params);
    }
  });

  it("refuses what is out of range, of another type, or unknown", () => {
    expect(() => checkParameters(pipeValid, { STAGES: 0 })).toThrow(
      "n2f_pipe_valid: STAGES=0, must be in 1..2147483647",
    );
    expect(() => checkParameters(pipeValid, { STAGES: 1.5 })).toThrow("STAGES=1.5");
    const more = { STAGES: 1, WIDTH: 8 };
    expect(() => checkParameters(pipeValid, more)).toThrow("n2f_pipe_valid has no parameter WIDTH");
    const file = { DEPTH: 1, DATA_W: 1, ADDR_W: 1, INIT: 'a".hex' };
    expect(() => checkParameters(rom, file)).toThrow('n2f_rom: INIT=a".hex, must be a plain file');
  });
});

describe("cycles", () => {
  it("of the adder tree: a register after every two levels", () => {
    const cycles = [1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33, 64, 65].map((LENGTH) =>
      adderTree.latencyCycles({ LENGTH, X_W: 1, Y_W: 1 }),
    );
    expect(cycles).toEqual([0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3]);
    const params = { LENGTH: 9, X_W: 1, X_SIGNED: true, W_W: 1, Y_W: 1 };
    expect(dot.latencyCycles(params)).toBe(3);
  });

  it("of the engine: C steps, and D to drain", () => {
    expect([1, 2, 3, 8, 9, 32, 33].map(matvecDrainCycles)).toEqual([3, 3, 4, 4, 5, 5, 6]);
  });
});

describe("memory images", () => {
  it("hold two's complement elements, the first in the low bits", () => {
    expect(packWord([1n, -1n, -8n, 7n], 4)).toBe(0x78f1n);
    expect(packWord([], 4)).toBe(0n);
    expect(memoryImage([0x1n, 0x1ffn], 9)).toBe("001\n1ff\n");
    expect(() => memoryImage([0x200n], 9)).toThrow("512 has more than 9 bits");
    expect([1, 2, 3, 4, 5].map(addressBits)).toEqual([1, 1, 2, 2, 3]);
  });

  const engine = {
    ...{ ROWS: 1, K_STEPS: 2, SIMD: 2, N_STEPS: 1, PE: 2, X_W: 4, X_SIGNED: true, W_W: 4 },
    ...{ ACC_W: 8, PASS_W: 1, WEIGHTS: "w.hex", BIAS: "b.hex" },
  };

  it("of the engine go by steps, padded with zeros", () => {
    const weights = [
      [1n, 2n, 3n],
      [-1n, -2n, -3n],
    ];
    expect(matvecMemories(engine, weights, [-1n])).toEqual({
      weights: "ef21\n0d03\n",
      bias: "00ff\n",
    });
  });

  it("of the engine refuse what does not fit", () => {
    expect(() => matvecMemories(engine, [[8n]], [])).toThrow("weight 8, W_W=4");
    expect(() => matvecMemories(engine, [[-8n], [0n], [0n]], [])).toThrow("3 rows");
    expect(() => matvecMemories(engine, [[1n, 1n, 1n, 1n, 1n]], [])).toThrow("5 columns");
  });
});

describe("values in SystemVerilog", () => {
  it("are decimal numbers, single bits and strings", () => {
    expect([-3, true, false, "w.hex"].map(parameterText)).toEqual([
      "-3",
      "1'b1",
      "1'b0",
      '"w.hex"',
    ]);
  });

  it("of a requantization come from the formats", () => {
    const from = { signed: true, width: 20, frac: 12 };
    const to = { signed: false, width: 8, frac: 14 };
    expect(requantizeParameters(from, to, "RND_CONV", "SAT_SYM")).toEqual({
      ...{ IN_W: 20, IN_SIGNED: true, OUT_W: 8, OUT_SIGNED: false },
      ...{ SHIFT: -2, ROUNDING: 2, OVERFLOW: 1 },
    });
  });
});
