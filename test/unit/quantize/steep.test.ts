import { describe, expect, it } from "vitest";
import { codeToReal, realToCode } from "../../../src/fixed/index.ts";
import { Builder, evaluateFixed, getValue, quantOf, valueId } from "../../../src/ir/index.ts";
import { ops } from "../../../src/ops/index.ts";
import {
  defaultQuantizeOptions,
  gatherStatistics,
  quantizeGraph,
} from "../../../src/quantize/index.ts";
import { sections } from "../../../src/quantize/steep.ts";
import { makeTensor } from "../../../src/tensor/index.ts";
import { emulate } from "../../support/kernel.ts";

/** Numbers from 2^-6 to 2^8, evenly over the octaves. */
const numbers = Array.from({ length: 64 }, (_, i) => 2 ** (-6 + (14 * i) / 63));

/** The quantized function's answers for them, from oracle and emulator, which must agree. */
function answers(op: string, attrs: Record<string, number>): { ours: number[]; tables: number } {
  const build = new Builder(ops).from({ node: "f", type: op });
  const x = build.input("x", { shape: [numbers.length], dtype: "float" });
  const graph = build.graph("steep", [{ name: "y", value: build.op(op, [x], attrs, "y") }]);
  const known = new Map([[x, makeTensor([numbers.length], numbers)]]);
  const { graph: quantized, inputs } = quantizeGraph(
    graph,
    ops,
    gatherStatistics(graph, ops, [known]),
    { ...defaultQuantizeOptions, default: { kind: "width", widthBits: 24 } },
  );
  const precision = inputs.get(valueId("x")) as NonNullable<ReturnType<typeof inputs.get>>;
  const codes = numbers.map((x) => realToCode(x, precision.format));
  const y = quantized.outputs[0].value;
  const expected = evaluateFixed(quantized, ops, new Map([[valueId("x"), codes]])).get(y);
  expect(emulate(quantized, [codes])[0]).toEqual(expected);
  const { format } = quantOf(getValue(quantized, y));
  const tables = [...quantized.values.values()].filter(
    (value) => value.kind === "op" && value.op === op,
  );
  return {
    ours: (expected ?? []).map((code) => codeToReal(code, format)),
    tables: tables.length,
  };
}

describe("functions that are steep near zero", () => {
  it.each<[string, (x: number) => number, number]>([
    ["rsqrt", (x) => 1 / Math.sqrt(x), 2 ** -8],
    ["reciprocal", (x) => 1 / x, 2 ** -7],
    ["sqrt", Math.sqrt, 2 ** -8],
  ])(
    "%s is right to seven bits over fourteen octaves, with tables of 2^11 entries",
    (op, f, limit) => {
      const attrs = op === "reciprocal" ? { min: -Infinity, max: Infinity } : {};
      const { ours, tables } = answers(op, attrs as Record<string, number>);
      expect(tables).toBe(6);
      numbers.forEach((x, i) => {
        expect(Math.abs(ours[i] / f(x) - 1), `at ${x}`).toBeLessThan(limit);
      });
    },
  );

  it("log is right to 2^-7", () => {
    const { ours } = answers("log", {});
    numbers.forEach((x, i) => {
      expect(Math.abs(ours[i] - Math.log(x)), `at ${x}`).toBeLessThan(2 ** -7);
    });
  });
});

describe("sections", () => {
  it("are none where one table will do", () => {
    expect(sections(1, 8, 11, 20)).toEqual([]);
    expect(sections(0.01, 100, 18, 20)).toHaveLength(2);
  });

  it("meet one another", () => {
    const parts = sections(0.01, 100, 11, 20);
    expect(parts.map(({ bottom }) => bottom)).toEqual([16, 2, 0.25, 0.03125, undefined]);
    expect(parts.map(({ until }) => until)).toEqual([undefined, 16, 2, 0.25, 0.03125]);
  });
});
