import { describe, expect, it } from "vitest";
import { Random } from "../../../src/base/index.ts";
import { emitEmulator } from "../../../src/emit/emulator/index.ts";
import { unpackReals } from "../../../src/fixed/index.ts";
import {
  evaluate,
  type Graph,
  getValue,
  parseGraph,
  quantOf,
  valueId,
} from "../../../src/ir/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { portsOf } from "../../../src/ports-of.ts";
import { correctBiases, equalize } from "../../../src/post-training.ts";
import {
  type CalibrationData,
  calibrate,
  defaultQuantizeOptions,
  feedOf,
  quantizeGraph,
} from "../../../src/quantize/index.ts";
import { instantiateEmulator, packSamples } from "../../../src/runtime/index.ts";

const random = new Random(7);
const numbers = (count: number, reach: (i: number) => number): string =>
  Array.from({ length: count }, (_, i) => Math.fround(random.normal() * reach(i))).join(", ");

/** Channels of very different reach between a convolution and a product, through relu, pool and flatten. */
const text = `graph "g" {
  input "x": float[1,6,6,2] from "x" "Input"
  const "k": float[1,18,4] = {${numbers(72, (i) => [8, 1, 0.1, 0.02][i % 4])}} from "k" "Initializer"
  const "b": float[4] = {${numbers(4, (i) => [8, 1, 0.1, 0.02][i % 4])}} from "b" "Initializer"
  "c": float[1,4,4,4] = conv("x", "k", "b") {dilations=[1, 1], group=1, kernel=[3, 3], pads=[0, 0, 0, 0], strides=[1, 1]} from "c" "Conv"
  "r": float[1,4,4,4] = relu("c") from "r" "Relu"
  "p": float[1,2,2,4] = max_pool("r") {dilations=[1, 1], kernel=[2, 2], pads=[0, 0, 0, 0], strides=[2, 2]} from "p" "MaxPool"
  "f": float[1,16] = reshape("p") {shape=[1, 16]} from "f" "Flatten"
  const "w": float[16,3] = {${numbers(48, (i) => [0.1, 1, 10, 50][Math.floor(i / 3) % 4])}} from "w" "Initializer"
  "y": float[1,3] = matmul("f", "w") from "y" "MatMul"
  output "y" = "y"
}
`;
const graph = parseGraph(text, ops);
const count = 24;
const data: CalibrationData = {
  source: "test",
  samples: {
    count,
    data: new Map([["x", Float64Array.from({ length: count * 72 }, () => random.normal())]]),
  },
};

const output = (its: Graph, sample: number): Float64Array =>
  evaluate(its, ops, feedOf(its, data.samples, sample)).get(valueId("y"))?.data as Float64Array;

describe("equalisation across layers", () => {
  const equal = equalize(graph, data);

  it("keeps the meaning over real numbers", () => {
    for (let i = 0; i < count; i++) {
      const [before, after] = [output(graph, i), output(equal, i)];
      before.forEach((number, n) => {
        expect(after[n]).toBeCloseTo(number, 9);
      });
    }
  });

  it("brings the channels' reaches together", () => {
    const spread = (its: Graph, id: string): number => {
      const reach = new Float64Array(4);
      for (let i = 0; i < count; i++) {
        const values = evaluate(its, ops, feedOf(its, data.samples, i));
        values.get(valueId(id))?.data.forEach((x, at) => {
          reach[at % 4] = Math.max(reach[at % 4], Math.abs(x));
        });
      }
      return Math.max(...reach) / Math.min(...reach);
    };
    expect(spread(graph, "f")).toBeGreaterThan(100);
    expect(spread(equal, "f.equalized")).toBeLessThan(spread(graph, "f") / 10);
  });

  it("gives scaled values names of their own and keeps those of the others", () => {
    expect([...equal.values.keys()].filter((id) => equal.values.get(id)?.kind === "op")).toEqual([
      "c.equalized",
      "r.equalized",
      "p.equalized",
      "f.equalized",
      "y",
    ]);
  });

  it("leaves alone what other operators read, or what is an output", () => {
    const read = parseGraph(
      text.replace('output "y" = "y"', 'output "y" = "y"\n  output "r" = "r"'),
      ops,
    );
    expect(equalize(read, data)).toBe(read);
  });
});

describe("bias correction", () => {
  const settings = {
    ...defaultQuantizeOptions,
    default: { kind: "width", widthBits: 6 } as const,
  };
  const quantize = (its: Graph) => quantizeGraph(its, ops, calibrate(graph, ops, data), settings);

  /** How far the means of the outputs are from the float network's. */
  const shift = (its: Graph): number => {
    const quantized = quantize(its);
    const ports = portsOf(quantized);
    const module = emitEmulator(quantized.graph, ops, ports.inputs, ports.outputs);
    const packets = packSamples(data.samples, ports.inputs, count);
    const answers = instantiateEmulator("test", module, ports).run(packets, count);
    const [port] = ports.outputs;
    const sums = new Float64Array(3);
    for (let i = 0; i < count; i++) {
      const its = unpackReals(answers, i * port.sizeBytes, 3, port);
      const wanted = output(graph, i);
      for (let n = 0; n < 3; n++) sums[n] += (its[n] - wanted[n]) / count;
    }
    return Math.max(...sums.map(Math.abs));
  };

  it("brings the means of quantized channels back to those of the float network", () => {
    const corrected = correctBiases(graph, data, quantize);
    // A bias is as fine as its accumulator and no finer.
    const { frac } = quantOf(getValue(quantize(graph).graph, valueId("y"))).format;
    expect(shift(graph)).toBeGreaterThan(2 ** -frac / 2);
    expect(shift(corrected)).toBeLessThanOrEqual(2 ** -frac / 2);
  });
});
