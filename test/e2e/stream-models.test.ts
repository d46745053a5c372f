import { describe, expect, it } from "vitest";
import { type ConfigFlags, compile, loadConfig } from "../../src/index.ts";
import { tools } from "../support/hw.ts";
import { sharedPath } from "../support/shared.ts";
import { expectExact } from "../support/streamed.ts";
import { temporaryFolder } from "../support/temporary.ts";

interface Streamed {
  /** Below `shared`. */
  readonly model: string;
  readonly flags?: ConfigFlags;
  /** Inferences: enough of them to fill what stands between inputs and outputs. */
  readonly vectors?: number;
  /** Cycles from inference to inference, at most. */
  readonly interval?: number;
  readonly dsp?: number;
  /** Share of the multipliers that work, at least. */
  readonly busy?: number;
}

const bits = { precision: "8" };
const networks: Readonly<Record<string, Streamed>> = {
  "w3, as it was quantized": { model: "workloads/w3_qonnx.onnx", interval: 40, busy: 0.95 },
  "w4, as it was quantized": {
    model: "workloads/w4_qonnx.onnx",
    flags: { target: "kv260" },
    interval: 4700,
    dsp: 1248,
    busy: 0.85,
  },
  "ResNet-8 for CIFAR-10": {
    model: "corpus/models/resnet8-cifar10-w8a8-qonnx/model.onnx",
    flags: { target: "kv260" },
    interval: 5000,
    dsp: 1248,
    busy: 0.85,
  },
  "MNIST of CNTK": {
    model: "corpus/models/mnist-cntk-8/model.onnx",
    flags: bits,
    interval: 300,
    busy: 0.9,
  },
  "keyword spotting, depthwise": {
    model: "corpus/models/mlperf-kws-dscnn/model.onnx",
    flags: bits,
  },
  "jet tagging in one dimension": {
    model: "corpus/models/hls4ml-jet-conv1d/model.onnx",
    flags: bits,
    interval: 2,
  },
  "anomaly detection": {
    model: "corpus/models/mlperf-ad-autoencoder/model.onnx",
    flags: bits,
    vectors: 96,
  },
  "keyword spotting, small": {
    model: "corpus/models/micro-kws-fp32-and-qdq/fp32.onnx",
    flags: bits,
  },
  "keyword spotting, as it was quantized": {
    model: "corpus/models/micro-kws-fp32-and-qdq/qdq.onnx",
  },
  "CIFAR-10 by Keras": {
    model: "corpus/models/cifar-base-kw/model.onnx",
    flags: bits,
    interval: 100,
    vectors: 96,
  },
  "super resolution, as it was quantized": {
    model: "corpus/models/espcn-x2-float-and-qonnx/quant.onnx",
    vectors: 3,
  },
  "self-attention on MNIST": {
    model: "corpus/models/self-attention-mnist/model.onnx",
    flags: bits,
    vectors: 96,
  },
  "speech without noise, a step of an LSTM": {
    model: "corpus/models/dtln-stage1-lstm/model.onnx",
    flags: { ...bits, targetFps: 80_000 },
    interval: 2500,
  },
  "drone that follows a face": { model: "corpus/models/dory-frontnet-int8/model.onnx" },
};

const usualVectors = 16;
const isReady = sharedPath("corpus") !== undefined && tools.verilator;
if (!isReady) console.warn("../shared or verilator is not there: streamed models are SKIPPED");

describe.skipIf(!isReady)("networks as streams, under Verilator with random stalls", () => {
  it.each(Object.entries(networks))(
    "%s: every bit, and every cycle as predicted",
    async (name, { model, flags = {}, interval, dsp, busy, vectors = usualVectors }) => {
      const folder = temporaryFolder();
      const place = `${folder}/${name.replace(/\W+/g, "_")}.n2f`;
      const summary = compile(sharedPath(model) as string, place, {
        config: loadConfig(undefined, { architecture: "stream", ...flags }),
        calibration: [],
      });
      const { kernel } = (await expectExact(place, vectors)).manifest;
      if (interval !== undefined)
        expect(kernel.predicted.intervalCycles).toBeLessThanOrEqual(interval);
      if (dsp !== undefined) expect(kernel.resources.dsp).toBeLessThanOrEqual(dsp);
      if (busy !== undefined) {
        const layers = summary.stream?.layers ?? [];
        const products = layers.reduce((sum, layer) => sum + layer.products, 0);
        const multipliers = layers.reduce((sum, layer) => sum + layer.multipliers, 0);
        expect(products / multipliers / kernel.predicted.intervalCycles).toBeGreaterThan(busy);
      }
    },
    1_800_000,
  );
});
