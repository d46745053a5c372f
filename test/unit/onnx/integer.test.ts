import type { onnx } from "onnx-proto";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/base/index.ts";
import { importModel } from "../../../src/onnx/index.ts";
import { makeTensor, type Shape, type Tensor } from "../../../src/tensor/index.ts";
import { evaluateFloat } from "../../ops/evaluate.ts";
import { problemOf } from "../../support/problem.ts";
import { read } from "./build.ts";

const int32 = 6;
const int64 = 7;

function input(name: string, shape: Shape, elemType: number): onnx.IValueInfoProto {
  return {
    name,
    type: { tensorType: { elemType, shape: { dim: shape.map((dimValue) => ({ dimValue })) } } },
  };
}

const integers = (name: string, data: readonly number[]): onnx.ITensorProto => ({
  name,
  dataType: int32,
  dims: [data.length],
  int32Data: [...data],
});

/** The last output of one node for its inputs. */
function run(
  node: onnx.INodeProto,
  inputs: Readonly<Record<string, Tensor>>,
  initializer: readonly onnx.ITensorProto[] = [],
  elemType = int32,
): Tensor {
  const names = Object.keys(inputs);
  const last = node.output?.at(-1) ?? "";
  const graph = importModel(
    read({
      node: [node],
      input: names.map((name) => input(name, inputs[name].shape, elemType)),
      output: [input(last, [], last === "y" ? elemType : int64)],
      initializer: [...initializer],
    }),
  );
  const [result] = evaluateFloat(graph, new Map(Object.entries(inputs))).values();
  return result;
}

const list = (data: readonly number[]) => makeTensor([data.length], data, "int");

describe("integers", () => {
  const [a, b] = [
    [7, -7, 7, -7, 6, 0, 5, -1],
    [2, 2, -2, -2, 3, 5, 0, 4],
  ];

  it("Div drops the remainder; nothing goes into zero", () => {
    const node = { opType: "Div", input: ["a", "b"], output: ["y"] };
    const { data } = run(node, { a: list(a), b: list(b) });
    expect([...data]).toEqual([3, -3, -3, 3, 2, 0, 0, 0]);
    const byEach = run(node, { a: list(a) }, [integers("b", b)]);
    expect([...byEach.data]).toEqual([...data]);
  });

  it("Mod has the sign of the divisor, or of the dividend", () => {
    const mod = (fmod: number) => ({
      opType: "Mod",
      input: ["a", "b"],
      output: ["y"],
      attribute: [{ name: "fmod", type: 2, i: fmod }],
    });
    const inputs = { a: list(a.slice(0, 5)), b: list(b.slice(0, 5)) };
    expect([...run(mod(0), inputs).data]).toEqual([1, 1, -1, -1, 0]);
    expect([...run(mod(1), inputs).data].map((x) => x + 0)).toEqual([1, -1, 1, -1, 0]);
  });

  it("BitShift is a product with a power of two, or a quotient by it", () => {
    const shift = (direction: string) => ({
      opType: "BitShift",
      input: ["a", "b"],
      output: ["y"],
      attribute: [{ name: "direction", type: 3, s: new TextEncoder().encode(direction) }],
    });
    const by = [integers("b", [1, 2, 0])];
    expect([...run(shift("LEFT"), { a: list([5, 6, 7]) }, by).data]).toEqual([10, 24, 7]);
    expect([...run(shift("RIGHT"), { a: list([5, 6, 7]) }, by).data]).toEqual([2, 1, 7]);
    const problem = problemOf(() => run(shift("LEFT"), { a: list([5]), b: list([1]) }));
    expect(problem?.message).toContain("distance of the shift is computed");
  });
});

describe("positions of MaxPool", () => {
  const random = new Random(7);
  const pick = (list: readonly number[]): number => list[random.uint32() % list.length];

  it("are those of the first greatest element of each window", () => {
    for (let trial = 0; trial < 40; trial++) {
      const shape = [2, 2, pick([4, 5]), pick([4, 6])];
      const kernel = [pick([1, 2, 3]), pick([2, 3])];
      const dilations = [pick([1, 2]), 1];
      const reach = kernel.map((k, axis) => dilations[axis] * (k - 1));
      if (reach.some((r, axis) => r >= shape[axis + 2])) continue;
      const pads = [...kernel, ...kernel].map((k) => Math.min(pick([0, 1]), k - 1));
      const strides = [pick([1, 2]), pick([1, 2])];
      const order = pick([0, 1]);
      // Few different numbers: many are equal.
      const data = Float64Array.from({ length: 4 * shape[2] * shape[3] }, () => pick([-2, 0, 1]));
      const ints = (name: string, list: readonly number[]) => ({
        name,
        type: 7,
        ints: [...list],
      });
      const node = {
        opType: "MaxPool",
        input: ["x"],
        output: ["values", "positions"],
        attribute: [
          ints("kernel_shape", kernel),
          ints("strides", strides),
          ints("dilations", dilations),
          ints("pads", pads),
          { name: "storage_order", type: 2, i: order },
        ],
      };
      const [floatType] = [1];
      const found = run(node, { x: makeTensor(shape, data) }, [], floatType);
      const expected = searched(shape, data, { kernel, strides, dilations, pads, order });
      expect([...found.data], JSON.stringify(node)).toEqual(expected);
    }
  });
});

interface Pool {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly order: number;
}

/** The same by looking at every element of every window. */
function searched(
  [N, C, H, W]: Shape,
  data: Float64Array,
  { kernel, strides, dilations, pads, order }: Pool,
): number[] {
  const places = [H, W].map(
    (extent, axis) =>
      Math.floor(
        (extent + pads[axis] + pads[axis + 2] - dilations[axis] * (kernel[axis] - 1) - 1) /
          strides[axis],
      ) + 1,
  );
  const found: number[] = [];
  for (let image = 0; image < N * C; image++) {
    for (let py = 0; py < places[0]; py++) {
      for (let px = 0; px < places[1]; px++) {
        let [best, at] = [-Infinity, -1];
        for (let ky = 0; ky < kernel[0]; ky++) {
          for (let kx = 0; kx < kernel[1]; kx++) {
            const y = py * strides[0] - pads[0] + ky * dilations[0];
            const x = px * strides[1] - pads[1] + kx * dilations[1];
            if (y < 0 || x < 0 || y >= H || x >= W) continue;
            const number = data[(image * H + y) * W + x];
            if (number <= best) continue;
            best = number;
            at = image * H * W + (order === 0 ? y * W + x : x * H + y);
          }
        }
        found.push(at);
      }
    }
  }
  return found;
}
