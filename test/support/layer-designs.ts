/** Networks of one layer or two with random weights, whose whole designs are held against synthesis. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../../src/base/index.ts";
import type { ConfigFlags } from "../../src/index.ts";
import { sizeOf } from "../../src/tensor/index.ts";
import { ModelWriter } from "./model-writer.ts";

/** A network and how it is to be compiled. */
export interface LayerDesign {
  /** Adds its nodes, which read `x`; returns the name of the last result. */
  readonly write: (network: Network, x: string) => string;
  /** Of `x`, as `[N, C, H, W]` and the like. */
  readonly input: readonly number[];
  /** From inference to inference, at most; the cheapest design is taken. */
  readonly cycles: number;
  /** DSP slices that there are; of a KV260 where nothing is said. */
  readonly dsp?: number;
  /** Their kind: products share only a DSP48E2. */
  readonly dspSlice?: "DSP48E1";
  /** Tells little that others do not: only where N2F_SYNTHESIS=all. */
  readonly isExtra?: boolean;
}

/** Writes a model and the device it is for into a folder; what `compile` needs. */
export function writeDesign(
  folder: string,
  { write, input, cycles, dsp = 1248, dspSlice = undefined }: LayerDesign,
): { readonly model: string; readonly flags: ConfigFlags } {
  const network = new Network();
  const bytes = network.writer.finish(write(network, network.writer.input("x", input, "float32")));
  const [model, target] = [join(folder, "layer.onnx"), join(folder, "device.json")];
  writeFileSync(model, bytes);
  const resources = { lut: 117_120, ff: 234_240, dsp, bram36: 144 };
  writeFileSync(target, JSON.stringify({ title: "as asked", resources, dspSlice }));
  return { model, flags: { precision: "8", target, targetFps: 200e6 / cycles } };
}

/** Layers with weights of their own. */
class Network {
  readonly writer = new ModelWriter();
  readonly #random = new Random(11);

  /** A convolution, and ReLU. */
  conv(x: string, dims: readonly number[], attributes: Record<string, number | number[]>): string {
    const fanIn = sizeOf(dims) / dims[0];
    const inputs = [x, this.numbers(dims, Math.sqrt(2 / fanIn)), this.numbers([dims[0]], 0.1)];
    return this.node("Relu", [this.node("Conv", inputs, attributes)]);
  }

  numbers(dims: readonly number[], size: number): string {
    const data = Array.from({ length: sizeOf(dims) }, () => this.#random.normal() * size);
    return this.writer.floats(data, dims);
  }

  node(
    opType: string,
    inputs: readonly string[],
    attributes: Record<string, number | number[]> = {},
  ): string {
    return this.writer.node(opType, inputs, attributes);
  }
}

const same = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
const whole = { kernel_shape: [1, 1] };

/** The first convolution of a stage of ResNet-8, over fewer pixels. */
const convolution = {
  input: [1, 16, 16, 16],
  write: (n: Network, x: string) => n.conv(x, [32, 16, 3, 3], { ...same, strides: [2, 2] }),
};
const dense = {
  input: [1, 64],
  write: (n: Network, x: string) => {
    const y = n.node("Gemm", [x, n.numbers([64, 32], 0.2), n.numbers([32], 0.1)]);
    return n.node("Relu", [y]);
  },
};
const pool = { kernel_shape: [2, 2], strides: [2, 2] };
const pixels = [1, 16, 16, 16];

export const layerDesigns: Readonly<Record<string, LayerDesign>> = {
  "3x3 convolution, pairs of products in a DSP slice": { ...convolution, cycles: 64 * 36 },
  "3x3 convolution, few cycles": { ...convolution, cycles: 64 * 12, isExtra: true },
  "3x3 convolution, multipliers of LUTs": {
    ...convolution,
    cycles: 64 * 144,
    dsp: 0,
    isExtra: true,
  },
  "3x3 convolution, a product in a DSP slice": {
    ...convolution,
    cycles: 64 * 144,
    dspSlice: "DSP48E1",
    isExtra: true,
  },
  "3x3 convolution, slowly": { ...convolution, cycles: 64 * 1152, isExtra: true },
  "1x1 convolution": {
    input: [1, 32, 8, 8],
    write: (n, x) => n.conv(x, [64, 32, 1, 1], whole),
    cycles: 64 * 64,
    isExtra: true,
  },
  "1x1 convolution, multipliers of LUTs": {
    input: [1, 32, 8, 8],
    write: (n, x) => n.conv(x, [64, 32, 1, 1], whole),
    cycles: 64 * 128,
    dsp: 0,
  },
  "depthwise and pointwise convolution": {
    input: [1, 16, 12, 12],
    write: (n, x) =>
      n.conv(n.conv(x, [16, 1, 3, 3], { ...same, group: 16 }), [32, 16, 1, 1], whole),
    cycles: 144 * 16,
  },
  "depthwise and pointwise convolution, slowly": {
    input: [1, 16, 12, 12],
    write: (n, x) =>
      n.conv(n.conv(x, [16, 1, 3, 3], { ...same, group: 16 }), [32, 16, 1, 1], whole),
    cycles: 144 * 144,
    isExtra: true,
  },
  "dense layer": { ...dense, cycles: 128 },
  "dense layer, multipliers of LUTs": { ...dense, cycles: 256, dsp: 0, isExtra: true },
  "maximum of 2x2 pixels": {
    input: pixels,
    write: (n, x) => n.node("MaxPool", [x], pool),
    cycles: 1024,
  },
  "average of 2x2 pixels": {
    input: pixels,
    write: (n, x) => n.node("AveragePool", [x], pool),
    cycles: 1024,
    isExtra: true,
  },
  "average of all pixels": {
    input: pixels,
    write: (n, x) => n.node("GlobalAveragePool", [x]),
    cycles: 1024,
  },
  "convolution and residual addition": {
    input: [1, 16, 8, 8],
    write: (n, x) => n.node("Relu", [n.node("Add", [n.conv(x, [16, 16, 3, 3], same), x])]),
    cycles: 64 * 36,
  },
  "convolution in one dimension": {
    input: [1, 8, 64],
    write: (n, x) => n.conv(x, [16, 8, 5], { kernel_shape: [5], pads: [2, 2] }),
    cycles: 64 * 20,
  },
  sigmoid: { input: pixels, write: (n, x) => n.node("Sigmoid", [x]), cycles: 1024 },
  "softmax of ten": { input: [1, 10], write: (n, x) => n.node("Softmax", [x]), cycles: 16 },
  "LSTM whose steps share a cell": {
    input: [8, 1, 8],
    write(n, x) {
      const [w, r, b] = [
        [1, 32, 8],
        [1, 32, 8],
        [1, 64],
      ].map((dims) => n.numbers(dims, 0.3));
      return n.node("LSTM", [x, w, r, b], { hidden_size: 8 });
    },
    cycles: 1500,
  },
};
