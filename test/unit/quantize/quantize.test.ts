import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/base/index.ts";
import {
  codeToReal,
  formatText,
  overflows,
  parsePrecision,
  roundings,
} from "../../../src/fixed/index.ts";
import {
  type ConstValue,
  evaluate,
  type Graph,
  graphProblems,
  inputsOf,
  quantOf,
  type Value,
  valueId,
} from "../../../src/ir/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { runPasses } from "../../../src/passes/index.ts";
import type { LayerPrecision, PrecisionRequest } from "../../../src/quantize/index.ts";
import { makeTensor } from "../../../src/tensor/index.ts";
import { cornerCodes, oracle, randomCodes } from "../../support/kernel.ts";
import { problemOf } from "../../support/problem.ts";
import { quantized, Sketch } from "../../support/shapes-under-reuse.ts";

const format = (text: string): PrecisionRequest => ({
  kind: "format",
  precision: parsePrecision(text),
});
const width = (widthBits: number): PrecisionRequest => ({ kind: "width", widthBits });
const layers = (entries: Record<string, LayerPrecision>) => new Map(Object.entries(entries));

/** x -> fc1 -> relu -> fc2 -> y */
function twoLayers(seed = 1): Graph {
  const net = new Sketch(seed);
  const x = net.input("x", [1, 6]);
  const h = net.op("relu1", "relu", [net.dense("fc1", x, 5)]);
  return net.graph("two layers", { y: net.dense("fc2", h, 3) });
}

const find = (graph: Graph, id: string): Value => graph.values.get(valueId(id)) as Value;
const formatOf = (graph: Graph, id: string): string => formatText(quantOf(find(graph, id)).format);

/** Codes as the real numbers that they stand for. */
function realsOf(value: ConstValue): number[] {
  const { format: own } = quantOf(value);
  return Array.from(value.data.data, (code) => codeToReal(code, own));
}

describe("a format for everything", () => {
  it.each(["fixed<16,6>", "fixed<8,3>", "ufixed<12,5>", "fixed<18,8,TRN,WRAP>"])(
    "%s is what inputs, products' arguments and outputs have",
    (text) => {
      const graph = quantized(twoLayers(), { default: format(text) });
      const asked = formatText(parsePrecision(text).format);
      expect(formatOf(graph, "x")).toBe(asked);
      for (const { value } of graph.outputs) expect(formatOf(graph, value)).toBe(asked);
      const second = find(graph, "fc2");
      expect(second.kind === "op" && formatOf(graph, second.args[0])).toBe(asked);
    },
  );

  it("rounds weights into it, by its own rules", () => {
    for (const rounding of roundings) {
      for (const overflow of overflows) {
        const text = `fixed<6,1,${rounding},${overflow}>`;
        const graph = quantized(twoLayers(), { default: format(text) });
        const floats = find(twoLayers(), "fc1.w") as ConstValue;
        const weights = realsOf(find(graph, "fc1.w") as ConstValue);
        weights.forEach((weight, i) => {
          expect(Number.isInteger(weight * 2 ** 5)).toBe(true);
          expect(weight).toBeGreaterThanOrEqual(-1);
          expect(weight).toBeLessThan(1);
          const exact = floats.data.data[i];
          if (Math.abs(exact) < 0.96) expect(Math.abs(weight - exact)).toBeLessThan(2 ** -5);
        });
      }
    }
  });
});

describe("a layer's own precision", () => {
  it("is taken for weight, bias and result", () => {
    const graph = quantized(twoLayers(), {
      layers: layers({
        fc1: {
          weight: format("fixed<5,2>"),
          bias: format("fixed<7,2>"),
          result: format("fixed<9,4>"),
        },
      }),
    });
    const inside = (id: string, bits: number, integer: number) => {
      for (const real of realsOf(find(graph, id) as ConstValue)) {
        expect(Number.isInteger(real * 2 ** (bits - integer))).toBe(true);
        expect(Math.abs(real)).toBeLessThanOrEqual(2 ** (integer - 1));
      }
    };
    inside("fc1.w", 5, 2);
    inside("fc1.b", 7, 2);
    const relu = find(graph, "relu1");
    expect(relu.kind === "op" && formatOf(graph, relu.args[0])).toBe("fixed<9,4>");
  });

  it("may be a width alone, and `exact` leaves the whole accumulator", () => {
    const graph = quantized(twoLayers(), {
      layers: layers({ fc1: { result: width(7) } }),
      output: { kind: "exact" },
    });
    const relu = find(graph, "relu1");
    expect(relu.kind === "op" && quantOf(find(graph, relu.args[0])).format.width).toBe(7);
    const [{ value }] = graph.outputs;
    expect(find(graph, value)).toMatchObject({ kind: "op", op: "matmul" });
  });

  it("is set for inputs and outputs, by their own options or by name", () => {
    const byOption = quantized(twoLayers(), {
      input: format("fixed<10,4>"),
      output: format("fixed<20,9>"),
    });
    expect(formatOf(byOption, "x")).toBe("fixed<10,4>");
    expect(formatOf(byOption, byOption.outputs[0].value)).toBe("fixed<20,9>");
    const byName = quantized(twoLayers(), {
      layers: layers({ x: { result: format("fixed<9,5>") } }),
    });
    expect(formatOf(byName, "x")).toBe("fixed<9,5>");
  });

  it("of a layer that is not there is refused, with the names of those that are", () => {
    const problem = problemOf(() =>
      quantized(twoLayers(), { layers: layers({ fc9: { weight: width(4) }, fc1: {} }) }),
    );
    expect(problem).toMatchObject({
      code: "N2F_CONFIG_INVALID",
      message: "the configuration names layers that the model does not have: fc9",
      hint: "The layers are fc1, relu1, fc2.",
    });
  });

  it("cannot be `exact` for an input, nor for a table", () => {
    expect(problemOf(() => quantized(twoLayers(), { input: { kind: "exact" } }))?.code).toBe(
      "N2F_CONFIG_INVALID",
    );
    const net = new Sketch(1);
    const y = net.op("act", "tanh", [net.input("x", [1, 2])]);
    const graph = net.graph("table", { y });
    const exact = layers({ act: { result: { kind: "exact" } } });
    expect(problemOf(() => quantized(graph, { layers: exact }))).toMatchObject({
      code: "N2F_CONFIG_INVALID",
      at: "act (tanh)",
    });
  });
});

describe("constants", () => {
  it("have a point for each column: a small column keeps its bits beside a large one", () => {
    const net = new Sketch(1);
    const x = net.input("x", [1, 3]);
    const numbers = [100, 0.011, -73, -0.0095, 12.5, 0.0031];
    const w = net.constant("w", makeTensor([3, 2], numbers));
    const graph = quantized(net.graph("columns", { y: net.op("fc", "matmul", [x, w]) }), {
      default: width(8),
    });
    const weights = realsOf(find(graph, "w") as ConstValue);
    numbers.forEach((exact, i) => {
      const columnReach = i % 2 === 0 ? 128 : 1 / 64;
      expect(Math.abs(weights[i] - exact)).toBeLessThanOrEqual(columnReach / 2 ** 8);
    });
  });

  it("lose the zeros that all codes end in", () => {
    const net = new Sketch(1);
    const x = net.input("x", [1, 2]);
    const w = net.constant("w", makeTensor([2, 2], [0.5, -1.5, 2, 1]));
    const graph = quantized(net.graph("short", { y: net.op("fc", "matmul", [x, w]) }));
    expect(formatOf(graph, "w")).toBe("fixed<4,3>");
    expect(realsOf(find(graph, "w") as ConstValue)).toEqual([0.5, -1.5, 2, 1]);
  });

  it("as biases are rounded at the point of the products, and no coarser", () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 4, max: 16 }), (seed, bits) => {
        const graph = quantized(twoLayers(seed), { default: width(bits) });
        const product = find(graph, "fc1");
        if (product.kind !== "op") throw new Error("no product");
        const [x, w, b] = product.args.map((id) => find(graph, id));
        const weights = w as ConstValue;
        const point = quantOf(x).format.frac + quantOf(w).format.frac;
        const exact = (find(twoLayers(seed), "fc1.b") as ConstValue).data.data;
        realsOf(b as ConstValue).forEach((bias, n) => {
          // A column whose weights all end in zeros has its bias at their point.
          const column = weights.data.data.filter((_, i) => i % exact.length === n);
          let spare = 0;
          while (spare < 30 && column.every((code) => code % 2 ** (spare + 1) === 0)) spare++;
          expect(Math.abs(bias - exact[n])).toBeLessThanOrEqual(2 ** (spare - point) / 2);
        });
      }),
      { numRuns: 30 },
    );
  });
});

describe("softmax", () => {
  function softmax(length: number): Graph {
    const net = new Sketch(1);
    const x = net.input("x", [1, length]);
    return runPasses(net.graph("softmax", { p: net.op("p", "softmax", [x], { axis: 1 }) }), ops);
  }

  it.each([8, 12, 16])("never exceeds one and keeps the order of the scores, %i bits", (bits) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.nat(2 ** 31), (length, seed) => {
        const graph = quantized(softmax(length), { default: width(bits) });
        const own = quantOf(find(graph, graph.outputs[0].value)).format;
        const random = new Random(seed);
        const trials = [
          ...cornerCodes(graph),
          ...Array.from({ length: 30 }, () => randomCodes(graph, random)),
        ];
        for (const scores of trials) {
          const chances = oracle(graph, scores);
          for (const code of chances) {
            expect(codeToReal(code, own)).toBeLessThanOrEqual(1);
            expect(code >= 0n).toBe(true);
          }
          scores.forEach((a, i) => {
            scores.forEach((b, k) => {
              if (a >= b) expect(chances[i] >= chances[k]).toBe(true);
            });
          });
        }
      }),
      { numRuns: 15 },
    );
  });
});

describe("whatever is asked", () => {
  const request: fc.Arbitrary<PrecisionRequest> = fc.oneof(
    fc.integer({ min: 2, max: 18 }).map(width),
    fc
      .tuple(
        fc.integer({ min: 2, max: 16 }),
        fc.integer({ min: 0, max: 8 }),
        fc.constantFrom(...roundings),
        fc.constantFrom(...overflows),
      )
      .map(([bits, integer, rounding, overflow]) =>
        format(`fixed<${bits},${integer},${rounding},${overflow}>`),
      ),
  );

  function mixed(seed: number): Graph {
    const net = new Sketch(seed);
    const x = net.input("x", [1, 4]);
    const h = net.op("act", "sigmoid", [net.dense("fc1", x, 4)]);
    const sum = net.op("sum", "sub", [net.dense("fc2", h, 4), x]);
    const slope = net.normal("slope", []);
    const y = net.op("y", "prelu", [sum, slope]);
    const best = net.op("best", "argmax", [y], { axis: 1, keepdims: false, last: false });
    return net.graph("mixed", { y, best, square: net.op("square", "mul", [sum, sum]) });
  }

  it("codes never leave their proven intervals", () => {
    fc.assert(
      fc.property(fc.nat(100), request, request, (seed, default_, layer) => {
        const graph = quantized(mixed(seed), {
          default: default_,
          layers: layers({ fc1: { result: layer }, fc2: { weight: layer } }),
          tableBits: 8,
        });
        expect(graphProblems(graph, ops)).toEqual([]);
        const random = new Random(seed);
        // The oracle throws where a code is outside its interval.
        for (const codes of cornerCodes(graph)) oracle(graph, codes);
        for (let i = 0; i < 20; i++) oracle(graph, randomCodes(graph, random));
      }),
      { numRuns: 60 },
    );
  });

  it("more bits come closer to the float network", () => {
    const graph = mixed(3);
    const random = new Random(8);
    const inputs = Array.from({ length: 50 }, () =>
      Float64Array.from({ length: 4 }, () => random.normal()),
    );
    const worst = [6, 9, 12, 16].map((bits) => {
      const fixed = quantized(graph, { default: width(bits), tableBits: 16 });
      const [input] = inputsOf(fixed);
      const [output] = fixed.outputs;
      const own = quantOf(find(fixed, output.value)).format;
      const errors = inputs.map((data) => {
        const { frac } = quantOf(input).format;
        const { ranges } = quantOf(input);
        const codes = Array.from(data, (x) => {
          const code = BigInt(Math.round(x * 2 ** frac));
          return code < ranges.lo(0) ? ranges.lo(0) : code > ranges.hi(0) ? ranges.hi(0) : code;
        });
        const reals = codes.map((code) => codeToReal(code, quantOf(input).format));
        const known = new Map([[valueId("x"), makeTensor([1, 4], reals)]]);
        const expected = evaluate(graph, ops, known).get(valueId("y"))?.data as Float64Array;
        const actual = oracle(fixed, codes).slice(0, 4);
        return Math.max(...actual.map((code, i) => Math.abs(codeToReal(code, own) - expected[i])));
      });
      return Math.max(...errors);
    });
    expect(worst).toEqual(worst.toSorted((a, b) => b - a));
    expect(worst[3]).toBeLessThan(worst[0] / 8);
  });
});
