import { describe, expect, it } from "vitest";
import { NetBuilder } from "../../src/design/index.ts";
import { maxCode } from "../../src/fixed/index.ts";
import {
  Builder,
  type ConstValue,
  constQuant,
  type PrimitiveOp,
  type QuantArg,
  Ranges,
} from "../../src/ir/index.ts";
import { ops, opTable, precisionAttrs } from "../../src/ops/index.ts";
import { expandKernel } from "../../src/schedule/expand.ts";
import { makeTensor, type Shape } from "../../src/tensor/index.ts";

/** Faults that were found once, kept by name. */

const quantArg = (shape: Shape, width: number, frac: number): QuantArg => {
  const format = { signed: true, width, frac };
  return { shape, dtype: "float", quant: { format, ranges: Ranges.ofFormat(format) } };
};

const constArg = (codes: readonly number[], width: number, frac: number): QuantArg => {
  const data: ConstValue["data"] = makeTensor([codes.length], codes);
  const quant = constQuant(data, { signed: true, width, frac });
  return { shape: data.shape, dtype: "float", quant, data };
};

const primitive = (name: keyof typeof opTable) => opTable[name] as PrimitiveOp;

describe("found faults", () => {
  it.each(["identity", "requantize", "softmax", "batch_norm"] as const)(
    "%s gave its argument as its type, which took the argument's name along",
    (name) => {
      const build = new Builder(ops).from({ node: "n", type: name });
      const x = build.input("x", { shape: [2, 3], dtype: "float" });
      const c = build.constant(makeTensor([3], [1, 1, 1]));
      const args = name === "batch_norm" ? [x, c, c, c, c] : [x];
      const y = build.op(name, args, { axis: 1, epsilon: 0 }, "y");
      expect(build.value(y)).toMatchObject({ id: "y", kind: "op", shape: [2, 3] });
    },
  );

  it("a slope above one with few digits shifted x to the right", () => {
    const x = quantArg([1], 4, 0);
    const slope = constArg([3], 3, -2);
    const quant = primitive("prelu").quant([x, slope], {});
    expect(quant.format.frac).toBe(0);
    expect(primitive("prelu").fixed([[5n], [3n]], [x, slope], {}, quant)).toEqual([5n]);
    expect(primitive("prelu").fixed([[-5n], [3n]], [x, slope], {}, quant)).toEqual([-60n]);
  });

  it("a symmetric limit of -1 became one of 0 in a netlist of one bit", () => {
    const build = new NetBuilder();
    const kernel = {
      kind: "requantize",
      shift: 2,
      rounding: "TRN",
      overflow: "SAT_SYM",
      signed: true,
      width: 2,
    } as const;
    const x = build.input(-5n, 0n);
    const [y] = expandKernel(build, kernel, [[x]], 1);
    expect(build.cell(y)).toMatchObject({ lo: -1n, hi: 0n, net: { overflow: "SAT", width: 1 } });
  });

  it.each([
    [-4n, 3n, 0n, 16n],
    [-5n, -2n, 4n, 25n],
    [2n, 3n, 4n, 9n],
  ])(
    "a square of %s to %s could be negative in a netlist, where tables do not reach",
    (...ends) => {
      const [lo, hi, least, greatest] = ends;
      const build = new NetBuilder();
      const format = { signed: true, width: 8, frac: 0 };
      const x: QuantArg = {
        ...quantArg([1], 8, 0),
        quant: { format, ranges: Ranges.all(lo, hi) },
      };
      const quant = primitive("square").quant([x], {});
      const [y] = expandKernel(
        build,
        primitive("square").kernel([x], {}, quant),
        [[build.input(lo, hi)]],
        1,
      );
      expect(quant.ranges.hull()).toEqual([least, greatest]);
      expect(build.cell(y)).toMatchObject({ lo: least, hi: greatest });
    },
  );

  it("a table value that overflows a double once it is scaled could not be made an integer", () => {
    const to = { signed: true, width: 8, frac: 20 };
    const attrs = precisionAttrs({ format: to, rounding: "RND", overflow: "WRAP" });
    const x = quantArg([1], 11, 0);
    const { ranges } = primitive("exp_neg").quant([x], attrs);
    expect(ranges.hull()[1]).toBe(maxCode(to));
    const quant = { format: to, ranges };
    expect(primitive("exp_neg").fixed([[-700n]], [x], attrs, quant)).toEqual([maxCode(to)]);
  });

  it("a bias finer than the products lost its last bits", () => {
    const args = [quantArg([1, 2], 4, 0), quantArg([2, 2], 4, 0), constArg([1, 1], 3, 1)];
    expect(() => primitive("matmul").quant(args, {})).toThrow(
      "the bias of a product has 1 bits below the point of the products",
    );
  });

  it("the greatest of nothing is the least number there is", () => {
    const attrs = { axis: 1, keepdims: false, last: false };
    const y = opTable.reduce_max.float([makeTensor([2, 0], [])], attrs);
    expect(Array.from(y.data)).toEqual([-Infinity, -Infinity]);
  });
});

describe("arguments that do not fit", () => {
  const floats = (...shapes: readonly Shape[]) =>
    shapes.map((shape) => ({ shape, dtype: "float" }) as const);
  const gemm = { alpha: 1, beta: 1, transA: false, transB: false };

  it.each<[keyof typeof opTable, readonly Shape[], Record<string, unknown>, string]>([
    ["prelu", [[2], [3, 2]], {}, "a slope of shape [3,2] does not fit [2]"],
    [
      "matmul",
      [[1, 2], [2, 3], [2]],
      {},
      "a bias of shape [2] does not fit a product of 3 columns",
    ],
    [
      "gemm",
      [
        [1, 2, 2],
        [2, 3],
      ],
      gemm,
      "gemm takes matrices, not a tensor of shape [1,2,2]",
    ],
    [
      "gemm",
      [
        [1, 2],
        [2, 3],
        [2, 3],
      ],
      gemm,
      "C of shape [2,3] does not fit a product of shape [1,3]",
    ],
    [
      "batch_norm",
      [[1, 2], [3], [2], [2], [2]],
      { epsilon: 0 },
      "statistics of shape [3] do not fit 2 channels",
    ],
    ["concat", [[], []], { axis: 0 }, "scalars have no axis along which they could be joined"],
    ["gather", [[2, 3]], { axis: 1, indices: [0, 3] }, "[2,3] has no position 3 along axis 1"],
    ["gather", [[]], { axis: 0, indices: [0] }, "[] has no position 0 along axis 0"],
    [
      "slice",
      [[4]],
      { starts: [1], steps: [2], counts: [3] },
      "[4] has no slice of [3] from [1] in steps of [2]",
    ],
    [
      "argmax",
      [[2, 0]],
      { axis: 1, keepdims: true, last: false },
      "[2,0] has no position along axis 1",
    ],
  ])("%s of %j", (name, shapes, attrs, message) => {
    expect(() => opTable[name].type(floats(...shapes), attrs as never)).toThrow(
      `N2F_OP_ATTRIBUTE: ${message}`,
    );
  });
});
