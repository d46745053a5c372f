import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type ConfigFlags,
  compile,
  loadConfig,
  openDevice,
  predict,
  readBundle,
  verify,
} from "../../src/index.ts";
import { matchSamples, readArrays, type Samples, type Tensor } from "../../src/tensor/index.ts";
import { tools } from "../support/hw.ts";
import { tinyNetwork } from "../support/onnx-models.ts";
import { sharedPath } from "../support/shared.ts";
import { temporaryFolder } from "../support/temporary.ts";

const vectors = 1000;

interface Example {
  /** Below `shared`. */
  readonly model: string;
  readonly flags: ConfigFlags;
  /** Data files beside the model, where its inputs are far from standard-normal numbers. */
  readonly calibration?: (model: string) => string[];
  /** Largest error of the model's own test vectors, relative to the largest number expected. */
  readonly relativeError?: number;
}

/** The inputs of all official test vectors of a model. */
function officialInputs(model: string): string[] {
  return readdirSync(join(model, ".."))
    .filter((name) => name.startsWith("test_data_set"))
    .map((set) => join(model, "..", set, "input_0.pb"));
}

const examples: Readonly<Record<string, Example>> = {
  "jet tagger, eight cycles each": {
    model: "corpus/models/hls4ml-jet-3layer-mlp/model.onnx",
    flags: { reuse: 8 },
    relativeError: 0.01,
  },
  "w1, unrolled, as it was trained": {
    model: "workloads/w1_float.onnx",
    flags: { inputPrecision: "fixed<8,4>" },
    calibration: (model) => [model.replace("w1_float.onnx", "w1.npz")],
  },
  "anomaly detector, 64 cycles each": {
    model: "corpus/models/mlperf-ad-autoencoder/model.onnx",
    flags: { reuse: 64 },
    calibration: officialInputs,
    relativeError: 0.01,
  },
  "collision avoidance, 32 cycles each": {
    model: "corpus/models/acas-xu-1-1/model.onnx",
    flags: { reuse: 32 },
    relativeError: 0.05,
  },
  "one matrix 16 x 16, unrolled": {
    model: "workloads/w2_16_6.onnx",
    flags: {},
  },
};

/** A skipped test that nobody sees is no better than none. */
function isThere(what: string, found: boolean): boolean {
  if (!found) console.warn(`${what} is not there: tests that need it are SKIPPED`);
  return found;
}

const hasShared = isThere("../shared", sharedPath("corpus") !== undefined);
const hasVerilator = isThere("verilator", tools.verilator);

/** Answers of the emulator to real numbers, output after output. */
async function answer(folder: string, samples: Samples): Promise<Float64Array[]> {
  const bundle = readBundle(folder);
  const device = openDevice("emulator");
  try {
    const kernel = await device.load(bundle);
    const results = await predict(kernel, bundle.manifest, samples);
    await kernel.close();
    return results.map(({ tensor }) => tensor.data);
  } finally {
    await device.close();
  }
}

/** Largest difference, relative to the largest number expected. */
function relativeError(actual: Float64Array, expected: Float64Array): number {
  const scale = expected.reduce((top, x) => Math.max(top, Math.abs(x)), 0);
  return expected.reduce((top, x, i) => Math.max(top, Math.abs(x - actual[i])), 0) / scale;
}

/** The official inputs of a model, all sets in a row, and the outputs that belong to them. */
function officialData(model: string, folder: string): { samples: Samples; expected: Float64Array } {
  const { inputs } = readBundle(folder).manifest;
  const data = new Map<string, Float64Array>(inputs.map(({ name }) => [name, new Float64Array()]));
  let [expected, count] = [new Float64Array(), 0];
  const append = (a: Float64Array, b: Float64Array) => Float64Array.from([...a, ...b]);
  for (const file of officialInputs(model)) {
    const samples = matchSamples(readArrays(file), inputs, file);
    for (const [name, numbers] of samples.data) {
      data.set(name, append(data.get(name) as Float64Array, numbers));
    }
    const [{ tensor }] = readArrays(file.replace("input_0", "output_0"));
    expected = append(expected, (tensor as Tensor).data);
    count += samples.count;
  }
  return { samples: { count, data }, expected };
}

describe.skipIf(!hasShared)("from an ONNX file to answers that are right in every bit", () => {
  it.each(Object.entries(examples))("%s", async (_name, example) => {
    const { model, flags, calibration, relativeError: allowed } = example;
    const path = sharedPath(model) as string;
    const folder = join(temporaryFolder(), "bundle.n2f");
    const summary = compile(path, folder, {
      config: loadConfig(undefined, flags),
      calibration: calibration?.(path) ?? [],
    });
    expect(summary.intervalCycles).toBeLessThanOrEqual(flags.reuse ?? 1);
    if (allowed !== undefined) {
      const { samples, expected } = officialData(path, folder);
      const [actual] = await answer(folder, samples);
      expect(relativeError(actual, expected)).toBeLessThan(allowed);
    }
    if (model.endsWith("w1_float.onnx")) {
      const npz = path.replace("w1_float.onnx", "w1.npz");
      const arrays = new Map(readArrays(npz).map(({ name, tensor }) => [name, tensor]));
      const samples = matchSamples(readArrays(npz), readBundle(folder).manifest.inputs, npz);
      const [actual] = await answer(folder, samples);
      expect(relativeError(actual, (arrays.get("yf") as Tensor).data)).toBeLessThan(0.02);
    }

    const report = await verify(folder, { samples: vectors, seed: 1, selfCheck: false });
    expect(report.samples).toBeGreaterThanOrEqual(vectors);
    expect(report.backends.oracle.mismatches).toBe(0);
    expect(report.float?.argmaxAgreement).toBeGreaterThanOrEqual(0.99);
    expect(report.ok).toBe(true);
    if (!hasVerilator) return;
    expect(report.backends.rtl).toMatchObject({
      mismatches: 0,
      violations: [],
      latencyCycles: summary.latencyCycles,
      intervalCycles: summary.intervalCycles,
    });
    expect(readBundle(folder).manifest.measured).toMatchObject({
      latencyCycles: summary.latencyCycles,
      intervalCycles: summary.intervalCycles,
    });
  });
});

describe.skipIf(!hasVerilator)("planted faults are seen", () => {
  it.each([
    ["an unrolled network", {}],
    ["a folded network", { reuse: 6 }],
  ] as const)("in %s", async (_name, flags) => {
    const folder = temporaryFolder();
    const [model, bundle] = [join(folder, "tiny.onnx"), join(folder, "tiny.n2f")];
    writeFileSync(model, tinyNetwork());
    compile(model, bundle, { config: loadConfig(undefined, flags), calibration: [] });
    const report = await verify(bundle, { samples: 200, seed: 3, selfCheck: true });
    expect(report.backends.rtl?.mismatches).toBe(0);
    expect(report.selfCheck?.map(({ caught }) => caught)).toEqual([true, true]);
    expect(report.ok).toBe(true);
  });
});
