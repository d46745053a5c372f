import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import { type Graph, inputsOf } from "../../src/ir/index.ts";
import { decodeModel, importModel, type OnnxModel, readModel } from "../../src/onnx/index.ts";
import { ops } from "../../src/ops/index.ts";
import { absorbPortTransposes, runPasses } from "../../src/passes/index.ts";
import {
  defaultQuantizeOptions,
  gatherStatistics,
  quantizeGraph,
} from "../../src/quantize/index.ts";
import {
  estimateResources,
  loadTarget,
  type ScheduleOptions,
  scheduleStream,
} from "../../src/schedule/index.ts";
import { makeTensor, sizeOf } from "../../src/tensor/index.ts";
import { mobileNetV1 } from "../support/mobilenet.ts";
import { problemOf } from "../support/problem.ts";
import { sharedPath } from "../support/shared.ts";

/** How long schedules take, and what is said of networks that fit nowhere. */

const resnet8 = sharedPath("corpus", "models", "resnet8-cifar10-w8a8-qonnx", "model.onnx");
const resnet50 = sharedPath("corpus", "onnx_conformance", "light", "light_resnet50.onnx");
if (resnet8 === undefined) console.warn("../shared is not there: schedules of ResNets are SKIPPED");

/** Quantized to 8 bits on two inputs of noise, channels last. */
function quantized(model: OnnxModel): Graph {
  const graph = runPasses(importModel(model), ops);
  const random = new Random(1);
  const feeds = Array.from(
    { length: 2 },
    () =>
      new Map(
        inputsOf(graph).map(({ id, shape }) => {
          const data = Float64Array.from({ length: sizeOf(shape) }, () => random.normal());
          return [id, makeTensor(shape, data)] as const;
        }),
      ),
  );
  const options = { ...defaultQuantizeOptions, default: { kind: "width" as const, widthBits: 8 } };
  const { graph: codes } = quantizeGraph(graph, ops, gatherStatistics(graph, ops, feeds), options);
  return absorbPortTransposes(codes).graph;
}

function schedule(graph: Graph, target: string, more: Partial<ScheduleOptions> = {}) {
  const steps: string[] = [];
  const before = process.cpuUsage();
  const design = scheduleStream(graph, ops, "top", {
    clockMhz: 200,
    target: loadTarget(target),
    ...(more.targetFps !== undefined && { targetFps: more.targetFps }),
    onProgress: (step) => steps.push(step),
  });
  const { user, system } = process.cpuUsage(before);
  return { design, steps, cpuSeconds: (user + system) / 1e6 };
}

describe("the schedule of a network", () => {
  it.skipIf(resnet8 === undefined)("of the size of ResNet-8 takes seconds", () => {
    const { design, steps, cpuSeconds } = schedule(
      quantized(readModel(resnet8 as string)),
      "kv260",
    );
    // Less than 5 where the machine does nothing else, as `npm run bench` measures it.
    expect(cpuSeconds).toBeLessThan(15);
    expect(design.intervalCycles).toBeLessThanOrEqual(8192);
    expect(
      steps.some((step) => /^folding the layers: an inference in \d+ cycles$/.test(step)),
    ).toBe(true);
    expect(steps).toContain("sizing the FIFOs");
  });

  it("of the size of MobileNetV1 for 96 by 96 pixels takes seconds", () => {
    const graph = quantized(decodeModel(mobileNetV1(96, 0.25), "mobilenet.onnx"));
    const { design, cpuSeconds } = schedule(graph, "kv260");
    expect(cpuSeconds).toBeLessThan(40);
    // Several pixels in a cycle.
    expect(design.intervalCycles).toBeLessThan((96 * 96) / 2);
    const { budget } = loadTarget("kv260");
    const { lut, ff, dsp, bram36 } = estimateResources(design);
    expect(lut <= budget.lut && ff <= budget.ff).toBe(true);
    expect(dsp <= budget.dsp && bram36 <= budget.bram36).toBe(true);
  });
});

describe.skipIf(resnet8 === undefined)("a network that does not fit", () => {
  it("at some rate: what is short, by how much, and which rate and device would do", () => {
    const graph = quantized(readModel(resnet8 as string));
    for (const target of ["pynq-z2", "arty-a7-100"]) {
      const problem = problemOf(() => schedule(graph, target, { targetFps: 20_000 }));
      expect(problem?.code).toBe("N2F_DESIGN_SIZE");
      expect(problem?.message).toMatch(
        /^at one inference in 10000 cycles the design needs .*\d+ LUT of \d+ \(\d+ too many\)/,
      );
      const rate = Number(problem?.hint?.match(/ask for --target-fps (\d+) or less/)?.[1]);
      expect(rate).toBeGreaterThan(0);
      expect(rate).toBeLessThan(20_000);
      const larger = problem?.hint?.match(/take --target (\S+?)[,;]/)?.[1] ?? "";
      expect(
        schedule(graph, larger, { targetFps: 20_000 }).design.intervalCycles,
      ).toBeLessThanOrEqual(10_000);
    }
  });

  it.skipIf(resnet50 === undefined)("on any device: how few bits its weights would need", () => {
    const graph = quantized(readModel(resnet50 as string));
    const problem = problemOf(() => schedule(graph, "u250"));
    expect(problem?.message).toMatch(
      /^even at one inference in \d+ cycles the design needs .*\d+ BRAM36 of 1989 \(\d+ too many\)/,
    );
    expect(problem?.hint).toMatch(/give weights of at most [23] bits/);
  });
});
