/**
 * The depths that the scheduler finds, held against the Verilog: with them a residual network has the interval
 * that was predicted; with one slot less on the way around the convolution it stalls, as was predicted too.
 */
import { writeFileSync } from "node:fs";
import type { onnx } from "onnx-proto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packetBytes, readBundle } from "../../src/artifact/index.ts";
import { Random } from "../../src/base/index.ts";
import { planModel } from "../../src/compile.ts";
import type { StreamDesign } from "../../src/design/index.ts";
import { type ConfigFlags, compile, loadConfig } from "../../src/index.ts";
import { createRtlDevice } from "../../src/runtime/index.ts";
import { measureTiming } from "../../src/verify/index.ts";
import { temporaryFolder, tools } from "../support/hw.ts";
import { problemOf } from "../support/problem.ts";
import { floats, modelBytes, value } from "../unit/onnx/build.ts";

const folder = temporaryFolder();
const model = `${folder.path}/residual.onnx`;
const cacheBefore = process.env["N2F_CACHE"];
beforeAll(() => {
  process.env["N2F_CACHE"] = `${folder.path}/cache`;
  writeFileSync(model, residualNetwork());
});
afterAll(() => {
  if (cacheBefore === undefined) delete process.env["N2F_CACHE"];
  else process.env["N2F_CACHE"] = cacheBefore;
});

/** x -> conv1 -> relu1 -> conv2 -> add (with relu1's result) -> y, 10 by 10 pixels of 4 channels. */
function residualNetwork(): Uint8Array {
  const random = new Random(4);
  const initializer: onnx.ITensorProto[] = [];
  const conv = (name: string, input: string, channels: number): onnx.INodeProto => {
    const dims = [4, channels, 3, 3];
    const data = Array.from({ length: 36 * channels }, () => random.normal() / 4);
    initializer.push({ ...floats(`${name}_w`, data), dims });
    const attribute = [{ name: "pads", type: 7, ints: [1, 1, 1, 1] }];
    return { name, opType: "Conv", input: [input, `${name}_w`], output: [`${name}_y`], attribute };
  };
  return modelBytes({
    node: [
      conv("conv1", "x", 2),
      { name: "relu1", opType: "Relu", input: ["conv1_y"], output: ["r"] },
      conv("conv2", "r", 4),
      { name: "add", opType: "Add", input: ["conv2_y", "r"], output: ["y"] },
    ],
    input: [value("x", [1, 2, 10, 10])],
    output: [value("y", [1, 4, 10, 10])],
    initializer,
  });
}

/** A pixel in a cycle, at the clock of the default target. */
const aPixel: ConfigFlags = { targetFps: 1_900_000 };

/** The configuration, with or without a depth that is set by hand for what feeds the addition. */
function configOf(fifoDepth?: number, flags: ConfigFlags = {}) {
  const file = `${folder.path}/config.yaml`;
  const layer = fifoDepth === undefined ? "" : `LayerName: { add: { FifoDepth: ${fifoDepth} } }\n`;
  writeFileSync(file, `Model: { Architecture: stream, Precision: 8 }\n${layer}`);
  return { config: loadConfig(file, flags), calibration: [] };
}

/** The depth of the FIFO around the convolution: the deepest before the addition. */
function depthAround({ nodes, edges }: StreamDesign): number {
  const joins = nodes.flatMap(({ inputs }, at) => (inputs === 2 ? [at] : []));
  expect(joins.length).toBe(1);
  return Math.max(...edges.flatMap(({ to, depth }) => (joins.includes(to.node) ? [depth] : [])));
}

async function simulate(name: string, fifoDepth?: number) {
  const place = `${folder.path}/${name}.n2f`;
  compile(model, place, configOf(fifoDepth, aPixel));
  const bundle = readBundle(place);
  const count = 24;
  const random = new Random(5);
  const bytes = packetBytes(bundle.manifest.inputs) * count;
  const packets = Uint8Array.from({ length: bytes }, () => random.below(256));
  const kernel = await createRtlDevice({}).load(bundle);
  const free = { stallInPercent: 0, stallOutPercent: 0, seed: 1 };
  const result = await kernel.simulate(packets, count, free);
  await kernel.close();
  expect(result.violations).toEqual([]);
  return {
    predicted: bundle.manifest.kernel.predicted,
    measured: measureTiming(result),
    outputs: result.outputs,
  };
}

if (!tools.verilator) console.warn("verilator is not there: depths of FIFOs are NOT proven in RTL");

describe("a residual network", () => {
  it.skipIf(!tools.verilator)(
    "runs at the predicted interval; one slot less around the convolution, and it stalls",
    async () => {
      const { design } = planModel(model, configOf(undefined, aPixel));
      const depth = depthAround(design as StreamDesign);
      expect(depth).toBeGreaterThan(10);
      const full = await simulate("full");
      expect(full.measured).toEqual(full.predicted);
      const less = await simulate("less", depth - 1);
      expect(less.measured).toEqual(less.predicted);
      expect(less.measured.intervalCycles).toBeGreaterThan(full.measured.intervalCycles);
      expect(Buffer.compare(less.outputs, full.outputs)).toBe(0);
    },
  );

  it("that would stand still is refused: the FIFO, and the least depth with which it runs", () => {
    const problem = problemOf(() => planModel(model, configOf(2)));
    expect(problem?.code).toBe("N2F_DESIGN_DEADLOCK");
    expect(problem?.message).toMatch(
      /^after \d+ cycles nothing moves any more: the FIFO from n\d+_fork to n\d+_\w+, full with 2 beats, needs \d+$/,
    );
    const depth = Number(problem?.message.match(/needs (\d+)$/)?.[1]);
    expect(problem?.hint).toContain(`to ${depth} or more`);
    expect(() => planModel(model, configOf(depth))).not.toThrow();
    expect(problemOf(() => planModel(model, configOf(depth - 1)))?.code).toBe(
      "N2F_DESIGN_DEADLOCK",
    );
  });
});
