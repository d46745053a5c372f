import { describe, expect, it } from "vitest";
import { layOutPorts, type Manifest } from "../../../src/artifact/index.ts";
import { makeFormat } from "../../../src/fixed/index.ts";
import { type Kernel, predict } from "../../../src/runtime/index.ts";

const precision = (signed: boolean, width: number, frac: number) =>
  ({ format: makeFormat(signed, width, frac), rounding: "RND", overflow: "SAT" }) as const;

/** Gives back what came in: inputs and outputs are laid out alike. */
const mirror: Kernel = { run: async (inputs) => inputs.slice(), close: async () => {} };

describe("predict", () => {
  it("quantizes by the manifest's rule and gives real numbers back, integers as integers", async () => {
    const ports = layOutPorts([
      { name: "a", shape: [1, 2], dtype: "float", precision: precision(true, 8, 4) },
      { name: "k", shape: [1, 1], dtype: "int", precision: precision(false, 12, 0) },
    ]);
    const manifest = { inputs: ports, outputs: ports } as unknown as Manifest;
    const data = new Map([
      ["a", Float64Array.of(0.03, 0.04, -9, 100)],
      ["k", Float64Array.of(3, 4000)],
    ]);
    const [a, k] = await predict(mirror, manifest, { count: 2, data });
    expect([a.name, a.elementType]).toEqual(["a", "float32"]);
    expect(a.tensor.shape).toEqual([2, 2]);
    expect([...a.tensor.data]).toEqual([0, 0.0625, -8, 127 / 16]);
    expect([k.name, k.elementType]).toEqual(["k", "int64"]);
    expect([...k.tensor.data]).toEqual([3, 4000]);
  });
});
