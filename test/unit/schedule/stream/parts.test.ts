import { describe, expect, it } from "vitest";
import { Random } from "../../../../src/base/index.ts";
import { maxCode, minCode } from "../../../../src/fixed/index.ts";
import { evaluateFixed, type Graph, inputsOf, quantOf } from "../../../../src/ir/index.ts";
import { ops } from "../../../../src/ops/index.ts";
import { interleaveParts } from "../../../../src/schedule/stream/parts.ts";
import { planUnits } from "../../../../src/schedule/stream/units.ts";
import { sizeOf } from "../../../../src/tensor/index.ts";
import { quantizedNoise, recurrentLayer, smallTensor } from "../../../support/recurrent.ts";
import { value } from "../../onnx/build.ts";

const random = new Random(5);

/** All outputs for some codes at the inputs. */
function outputsOf(graph: Graph, codes: readonly bigint[]): (readonly bigint[] | undefined)[] {
  const results = evaluateFixed(graph, ops, new Map(inputsOf(graph).map(({ id }) => [id, codes])));
  return graph.outputs.map(({ value: id }) => results.get(id));
}

const stepsOfSlices = (graph: Graph): number[] =>
  [...graph.values.values()].flatMap((one) => {
    if (one.kind !== "op" || one.op !== "slice") return [];
    const step = (one.attrs["steps"] as readonly number[]).at(-1) ?? 1;
    return step > 1 ? [step] : [];
  });

describe("the gates of a recurrent layer", () => {
  it.each([
    ["LSTM", 4, {}, [4]],
    ["GRU", 3, {}, [2, 3]],
    ["GRU", 3, { linear_before_reset: 1 }, [3]],
  ] as const)("of %s leave side by side, and mean the same", (opType, gates, attributes, steps) => {
    const before = recurrentLayer(opType, gates, attributes);
    const after = interleaveParts(before, ops);
    expect([...new Set(stepsOfSlices(after))].sort()).toEqual(steps);
    for (let trial = 0; trial < 8; trial++) {
      const [input] = inputsOf(before);
      const { format } = quantOf(input);
      const [lo, hi] = [Number(minCode(format)), Number(maxCode(format))];
      const codes = Array.from({ length: sizeOf(input.shape) }, () =>
        BigInt(lo + Math.floor(random.uniform() * (hi - lo + 1))),
      );
      expect(outputsOf(after, codes)).toEqual(outputsOf(before, codes));
    }
    // Each is cut by the pipeline that works on it.
    for (const unit of planUnits(after, ops).values())
      if (unit.kind === "module" && unit.value.op === "slice")
        expect((unit.value.attrs["steps"] as readonly number[]).at(-1)).toBe(1);
  });
});

it("parts stay one behind the other where somebody reads all of them", () => {
  const graph = quantizedNoise({
    node: [
      { opType: "MatMul", input: ["x", "w"], output: ["y"] },
      {
        opType: "Split",
        input: ["y", "halves"],
        output: ["a", "b"],
        attribute: [{ name: "axis", type: 2, i: 1 }],
      },
      { opType: "Mul", input: ["a", "b"], output: ["z"] },
    ],
    input: [value("x", [2, 4])],
    output: ["y", "z"].map((name) => ({ name, type: { tensorType: { elemType: 1 } } })),
    initializer: [
      smallTensor("w", [4, 6]),
      { name: "halves", dataType: 7, dims: [2], int64Data: [3, 3] },
    ],
  });
  expect(interleaveParts(graph, ops)).toBe(graph);
});
