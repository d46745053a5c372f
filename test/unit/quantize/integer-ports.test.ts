import { describe, expect, it } from "vitest";
import { parseGraph, quantOf, valueId } from "../../../src/ir/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { portsOf } from "../../../src/ports-of.ts";
import { defaultQuantizeOptions, quantizeGraph } from "../../../src/quantize/index.ts";

const numbers =
  'axis=0, mul=[2], add=[-1], zero_point=[0], rounding="half_even", arithmetic="exact"';
const graph = (ends: string) =>
  parseGraph(
    `graph "ports" {
  input "x": float[1,2] from "x" "Input"
  "q": int[1,2] = quantize("x") {${numbers}, div=[1], ${ends}} from "q" "Quant"
  const exact "s": float[] = {0.25} from "y" "Quant"
  "y": float[1,2] = mul("q", "s") from "y" "Quant"
  output "y" = "y"
}`,
    ops,
  );

describe("inputs and outputs of quantized models", () => {
  it("leave the rounding of the input to the host, and the scale of the output to the manifest", () => {
    const quantized = quantizeGraph(graph("lo=-1, hi=1"), ops, new Map(), defaultQuantizeOptions);
    const { inputs } = portsOf(quantized);
    expect(inputs[0]).toMatchObject({
      format: { signed: true, width: 2, frac: 0 },
      rounding: "RND_CONV",
      overflow: "SAT_SYM",
      scale: 0.5,
      zeroPoint: 0,
      offset: -1,
      meaning: "real",
    });
  });

  it("take every code of the input's format, whatever the host's rule gives", () => {
    const { graph: made } = quantizeGraph(
      graph("lo=-1, hi=1"),
      ops,
      new Map(),
      defaultQuantizeOptions,
    );
    const input = made.values.get(valueId("x"));
    expect(input && quantOf(input).ranges.hull()).toEqual([-2n, 1n]);
  });

  it("keep a rule that no format has in the kernel", () => {
    const quantized = quantizeGraph(graph("lo=-3, hi=5"), ops, new Map(), defaultQuantizeOptions);
    expect(quantized.inputScales.size).toBe(0);
    expect(
      [...quantized.graph.values.values()].map((value) => value.kind === "op" && value.op),
    ).toContain("quantize");
  });
});
