import { describe, expect, it } from "vitest";
import { parseGraph, valueId } from "../../../../src/ir/index.ts";
import { ops } from "../../../../src/ops/index.ts";
import { planDesign } from "../../../../src/plan-design.ts";
import {
  defaultQuantizeOptions,
  gatherStatistics,
  quantizeGraph,
} from "../../../../src/quantize/index.ts";
import { makeTensor, sizeOf } from "../../../../src/tensor/index.ts";
import { problemOf } from "../../../support/problem.ts";

const options = {
  architecture: "stream",
  clockMhz: 200,
  reuse: 1,
  layerReuse: new Map(),
} as const;

/** The problem that a network given as text has as a stream. */
function problemAsStream(text: string, inputs: Readonly<Record<string, readonly number[]>>) {
  const graph = parseGraph(`graph "g" {\n${text}\n}\n`, ops);
  const feed = new Map(
    Object.entries(inputs).map(([id, shape]) => {
      const data = Array.from({ length: sizeOf(shape) }, (_, i) => 1 - i / 4);
      return [valueId(id), makeTensor(shape, data)] as const;
    }),
  );
  const statistics = gatherStatistics(graph, ops, [feed]);
  const quantized = quantizeGraph(graph, ops, statistics, defaultQuantizeOptions).graph;
  return problemOf(() => planDesign(quantized, "net", options));
}

const scaled = (output = "") => `
  input "x": float[4,3] from "x" "Input"
  input "s": float[3] from "s" "Input"
  const "c": float[3] = {0.5, -1.25, 3} from "c" "Initializer"
  "m": float[3] = mul("s", "c") from "m" "Mul"
  "y": float[4,3] = sub("x", "m") from "y" "Sub"
  output "y" = "y"${output}`;

describe("what cannot be streamed", () => {
  it("an input that nothing reads is refused by name", () => {
    const text = `
  input "x": float[1,4] from "x" "Input"
  input "idle": float[1,4] from "idle" "Input"
  "y": float[1,4] = relu("x") from "y" "Relu"
  output "y" = "y"`;
    expect(problemAsStream(text, { x: [1, 4], idle: [1, 4] })).toEqual({
      code: "N2F_OP_UNSUPPORTED",
      message: "inputs that nothing in the network reads",
      at: "idle",
      hint: "Remove them from the model, or use --architecture parallel.",
    });
  });

  it("a small value is worked on beside a larger one, but does not leave it", () => {
    const inputs = { x: [4, 3], s: [3] };
    expect(problemAsStream(scaled(), inputs)).toBeUndefined();
    const problem = problemAsStream(scaled(`\n  output "m" = "m"`), inputs);
    expect(problem?.code).toBe("N2F_OP_UNSUPPORTED");
    expect(problem?.message).toContain("m of 3 elements is also used by itself");
  });

  it("a product with a constant on its left has nothing to hold the constant", () => {
    const text = `
  input "x": float[2,4,1] from "x" "Input"
  const "w": float[3,4] = {1, 0, 0, 0, 0, 0, 0.5, 0.25, 0, 1, -1, 0} from "y" "Resize"
  "y": float[2,3,1] = matmul("w", "x") from "y" "Resize"
  output "y" = "y"`;
    const problem = problemAsStream(text, { x: [2, 4, 1] });
    expect(problem?.code).toBe("N2F_OP_UNSUPPORTED");
    expect(problem?.message).toContain("its factor w is constant and not on the right");
    expect(problem?.at).toBe("y (Resize)");
  });

  it("a vector beside reductions of rows must have something for each row", () => {
    const text = `
  input "x": float[4,3] from "x" "Input"
  input "w": float[3] from "w" "Input"
  "s": float[4,1] = reduce_sum("x") {axis=1, keepdims=true, last=false} from "y" "Mean"
  "d": float[4,3] = sub("x", "s") from "y" "Sub"
  "y": float[4,3] = mul("d", "w") from "y" "Mul"
  output "y" = "y"`;
    const problem = problemAsStream(text, { x: [4, 3], w: [3] });
    expect(problem?.code).toBe("N2F_OP_UNSUPPORTED");
    expect(problem?.message).toContain("w of 3 elements does not lie along the 4 rows");
  });
});
