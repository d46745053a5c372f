/** What `compile` says of whole designs, of networks and of single layers, against Yosys for UltraScale+. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readBundle } from "../../src/artifact/index.ts";
import { type ConfigFlags, compile, loadConfig } from "../../src/index.ts";
import { tools, yosys } from "../support/hw.ts";
import { layerDesigns, writeDesign } from "../support/layer-designs.ts";
import { sharedPath } from "../support/shared.ts";
import { countCells, synthesisCommands } from "../support/synthesis.ts";
import { temporaryFolder } from "../support/temporary.ts";

interface Design {
  /** Below `shared`. */
  readonly model: string;
  readonly flags?: ConfigFlags;
  /** LUTs times cycles from inference to inference, at most. */
  readonly product?: number;
  /** Takes Yosys many minutes: only where N2F_SYNTHESIS=all. */
  readonly isLong?: boolean;
}

const designs: Readonly<Record<string, Design>> = {
  // A tenth of what NNgen 1.3.4 takes for the same file.
  "w3, as it was quantized": {
    model: "workloads/w3_qonnx.onnx",
    // Without a rate it fills the device, which takes Yosys long.
    flags: { targetFps: 700_000 },
    product: (17_160 * 19_849) / 10,
  },
  "jet tagging in one dimension": {
    model: "corpus/models/hls4ml-jet-conv1d/model.onnx",
    flags: { precision: "8", targetFps: 4_000_000 },
    isLong: true,
  },
  "ResNet-8 for CIFAR-10 on a KV260": {
    model: "corpus/models/resnet8-cifar10-w8a8-qonnx/model.onnx",
    flags: { target: "kv260" },
    isLong: true,
  },
};

const isShared = sharedPath("workloads") !== undefined;
if (!tools.yosys) console.warn("yosys is not there: sizes of designs are SKIPPED");
if (!isShared) console.warn("../shared is not there: sizes of its networks are SKIPPED");

const isAll = process.env["N2F_SYNTHESIS"] === "all";
if (!isAll) console.warn("N2F_SYNTHESIS=all is not set: large designs are not synthesized");

/** DSP slices and block RAM have to be equal, LUT and FF within this. */
const tolerance = 0.15;

/** Compiles a model, and holds the estimate against what Yosys makes of it. */
function hold(name: string, model: string, flags: ConfigFlags) {
  const place = join(temporaryFolder(), "design.n2f");
  const { resources, intervalCycles } = compile(model, place, {
    config: loadConfig(undefined, { architecture: "stream", ...flags }),
    calibration: [],
  });
  const { sources, top } = readBundle(place).manifest.kernel;
  const rtl = join(place, "rtl");
  yosys(rtl, synthesisCommands(sources, top, "cells.txt"));
  const found = countCells(readFileSync(join(rtl, "cells.txt"), "utf8"));
  console.log(`${name}: estimated ${text(resources)}; found ${text(found)}`);
  expect(resources.dsp).toBe(found.dsp);
  expect(resources.bram36).toBe(found.bram36);
  for (const kind of ["lut", "ff"] as const)
    expect(Math.abs(resources[kind] / found[kind] - 1), kind).toBeLessThan(tolerance);
  return { found, intervalCycles };
}

describe.skipIf(!tools.yosys)("the estimate of a layer", () => {
  for (const [name, design] of Object.entries(layerDesigns)) {
    it.skipIf(design.isExtra === true && !isAll)(
      `is right: ${name}`,
      () => {
        const { model, flags } = writeDesign(temporaryFolder(), design);
        const { intervalCycles } = hold(name, model, flags);
        expect(intervalCycles).toBeLessThanOrEqual(design.cycles);
      },
      600_000,
    );
  }
});

describe.skipIf(!tools.yosys || !isShared)("the estimate of a network", () => {
  for (const [name, { model, flags = {}, product, isLong }] of Object.entries(designs)) {
    it.skipIf(isLong === true && !isAll)(
      `is right: ${name}`,
      () => {
        const { found, intervalCycles } = hold(name, sharedPath(model) as string, flags);
        if (product !== undefined) expect(found.lut * intervalCycles).toBeLessThan(product);
      },
      3_600_000,
    );
  }
});

function text(resources: object): string {
  return Object.entries(resources)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(", ");
}
