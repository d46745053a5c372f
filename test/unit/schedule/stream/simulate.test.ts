import { describe, expect, it } from "vitest";
import { fork, join, pipelineModel, windowLine } from "../../../../src/hwlib/index.ts";
import {
  type Dataflow,
  findDeadlock,
  simulateDataflow,
  sizeFifos,
} from "../../../../src/schedule/index.ts";

const conv = {
  ...{ H: 8, W: 8, C: 1, X_W: 8, KH: 3, KW: 3, SH: 1, SW: 1, DH: 1, DW: 1 },
  ...{ PT: 1, PB: 1, PL: 1, PR: 1, PAD: 0, STYLE: 0 },
};

/** A residual block: source, fork, a window and a pipeline on one branch, nothing on the other, join, sink. */
const residual: Dataflow = {
  actors: [
    { name: "fork", model: fork.cycleModel({ WIDTH: 8, N: 2 }), inputs: [0], outputs: [1, 2] },
    {
      name: "window",
      model: windowLine.cycleModel({ ...conv, COLS: 1 }),
      inputs: [1],
      outputs: [3],
    },
    { name: "mvu", model: pipelineModel(5), inputs: [3], outputs: [4] },
    { name: "join", model: join.cycleModel({ WIDTH: 16, N: 2 }), inputs: [4, 2], outputs: [5] },
  ],
  channels: ["in", "long", "skip", "windows", "results", "out"],
  source: 0,
  sink: 5,
  inputBeats: 64,
  outputBeats: 64,
};
const widths = [8, 8, 8, 72, 8, 16];
const patience = 5000;

describe("dataflow simulation", () => {
  it("finds the depths of a residual block: one beat less on the skip is slower", () => {
    const sized = sizeFifos(residual, widths, 64, patience);
    expect(sized.isLeast).toBe(true);
    // A row and a pixel before the first window, the pipeline, and the restart: 73 steps an image.
    expect(sized.intervalCycles).toBe(73);
    expect(sized.depths[2]).toBeGreaterThan(9);
    const less = Int32Array.from(sized.depths);
    less[2]--;
    const options = { inferences: 12, patienceCycles: patience, untilPeriodic: true };
    const slower = simulateDataflow(residual, less, options);
    expect(slower.deadlock !== undefined || (slower.intervalCycles ?? 0) > 73).toBe(true);
  });

  it("gives the interval that long runs have", () => {
    const { depths, intervalCycles, latencyCycles } = sizeFifos(residual, widths, 64, patience);
    const long = simulateDataflow(residual, depths, { inferences: 40, patienceCycles: patience });
    const { inputCycles, outputCycles } = long;
    expect((outputCycles[39] - outputCycles[19]) / 20).toBe(intervalCycles);
    expect((inputCycles[39] - inputCycles[19]) / 20).toBe(intervalCycles);
    expect(outputCycles[0] - inputCycles[0]).toBe(latencyCycles);
  });

  it("names the FIFO that makes a network stand still, and the depth that cures it", () => {
    const short = new Int32Array(6).fill(2);
    const found = findDeadlock(residual, short, patience);
    expect(found?.channel).toBe(2);
    // The window needs a row and a pixel beyond its first; its own FIFO holds some of them.
    expect(found?.depth).toBeGreaterThan(2);
    const cured = Int32Array.from(short);
    cured[2] = found?.depth ?? 0;
    expect(findDeadlock(residual, cured, patience)).toBeUndefined();
    cured[2]--;
    expect(findDeadlock(residual, cured, patience)).toBeDefined();
  });
});
