import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Nn2fpgaError } from "../../../src/base/index.ts";
import {
  type BlobReader,
  type BlobWriter,
  type Graph,
  graphProblems,
  parseGraph,
  printGraph,
} from "../../../src/ir/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { arbitraryFloatGraph, arbitraryQuantGraph } from "../../arbitrary/graphs.ts";
import { arbitraryOneOpGraph, primitiveNames } from "../../arbitrary/one-op-graph.ts";

class Blob implements BlobReader, BlobWriter {
  readonly #parts: Float64Array[] = [];

  put(data: Float64Array): { offset: number; type: string } {
    this.#parts.push(data);
    return { offset: this.#parts.length - 1, type: "f64" };
  }

  get(_type: string, offset: number, _count: number): Float64Array {
    return this.#parts[offset];
  }
}

/** What the text form does not carry: intervals of inputs that are narrower than their format. */
function expectSame(actual: Graph, expected: Graph): void {
  expect(actual.name).toBe(expected.name);
  expect(actual.outputs).toEqual(expected.outputs);
  expect([...actual.values.keys()]).toEqual([...expected.values.keys()]);
  for (const [id, value] of expected.values) {
    const other = actual.values.get(id);
    expect({ ...other, quant: other?.quant?.format }).toEqual({
      ...value,
      quant: value.quant?.format,
    });
  }
}

describe("the text form", () => {
  it.each([
    ["float", arbitraryFloatGraph],
    ["quantized", arbitraryQuantGraph],
  ])("reads back %s graphs as they were", (_, graphs) => {
    fc.assert(
      fc.property(graphs, (graph) => {
        expect(graphProblems(graph, ops)).toEqual([]);
        const text = printGraph(graph);
        const parsed = parseGraph(text, ops);
        expectSame(parsed, graph);
        expect(printGraph(parsed)).toBe(text);
      }),
      { numRuns: 300 },
    );
  });

  it("keeps long constants elsewhere", () => {
    fc.assert(
      fc.property(arbitraryFloatGraph, (graph) => {
        const blob = new Blob();
        const text = printGraph(graph, blob);
        const parsed = parseGraph(text, ops, blob);
        expectSame(parsed, graph);
      }),
    );
  });

  it("writes every attribute of every operator", () => {
    for (const name of primitiveNames) {
      fc.assert(
        fc.property(arbitraryOneOpGraph(name), ({ graph }) => {
          // Without formats: an input of a one-op graph may have an interval, which is not written.
          const values = [...graph.values].map(
            ([id, { quant: _, ...value }]) => [id, value] as const,
          );
          const bare = { ...graph, values: new Map(values) } as Graph;
          expectSame(parseGraph(printGraph(bare), ops), bare);
        }),
        { numRuns: 10 },
      );
    }
  });

  it("writes what people can read", () => {
    const text = `graph "jet" {
  input "x": float[1,4] fixed<8,4> from "x" "Input"
  const "w": float[4,2] fixed<6,1> = {1, -2, 3, -4, 5, -6, 7, -8} from "fc" "Gemm"
  "h": float[1,2] fixed<13,4> = matmul("x", "w") from "fc" "Gemm"
  "y": float[1,2] fixed<8,4> = requantize("h") {signed=true, width=8, frac=4, rounding="RND", overflow="SAT"} from "fc" "Gemm"
  output "logits" = "y"
}
`;
    expect(printGraph(parseGraph(text, ops))).toBe(text);
  });
});

describe("a text with a mistake", () => {
  const line = (text: string) => `graph "g" {
  input "x": float[1,4] from "x" "Input"
  ${text}
  output "y" = "x"
}
`;

  it.each([
    ['"y" float[1,4] = relu("x") from "n" "Relu"', "expected : before float", 3],
    ['"y": real[1,4] = relu("x") from "n" "Relu"', '"real" is no element type', 3],
    ['"y": float[1,-4] = relu("x") from "n" "Relu"', "-4 is no count", 3],
    ['"y": float[1,4] = rely("x") from "n" "Relu"', 'there is no operator "rely"', 3],
    ['"y": float[1,4] = relu("z") from "n" "Relu"', 'there is no value "z" before this line', 3],
    ['"y": float[1,4] = relu("y") from "n" "Relu"', 'there is no value "y" before this line', 3],
    ['"y": float[1,4] = relu("x" from "n" "Relu"', "expected ) before from", 3],
    ['"y": float[1,4] = relu("x") {a=} from "n" "Relu"', "expected a number before }", 3],
    ['"y": float[1,4] = relu("x") of "n" "Relu"', "expected from before of", 3],
    ['"y": float[1,4] = relu("x") from "n" ?', "expected a string before ?", 3],
    ['"x": float[1,4] = relu("x") from "n" "Relu"', 'value "x" is made twice', 3],
    ['const "c": float[3] = {1, 2} from "c" "Initializer"', "2 numbers for 3 elements", 3],
    [
      'const "c": float[99] = blob f64 0 99 from "c" "Initializer"',
      "the constants are in another file, which was not given",
      3,
    ],
    [
      '"y": float[1,4] fixed<65,4> = relu("x") from "n" "Relu"',
      "a signed format of 65 bits",
      undefined,
    ],
  ])("%s", (text, message, at) => {
    try {
      parseGraph(line(text), ops);
    } catch (error) {
      expect(error).toBeInstanceOf(Nn2fpgaError);
      const [problem] = (error as Nn2fpgaError).problems;
      expect(problem.message).toContain(message);
      if (at !== undefined) {
        expect(problem).toMatchObject({ code: "N2F_GRAPH_TEXT", at: `line ${at}` });
      }
      return;
    }
    throw new Error("it was read");
  });

  it.each([
    ["", "expected graph before the end"],
    ['graph "g" {', "expected a string before the end"],
    ['graph "g" { }\nand more', "expected a end before and"],
    ["graph g { }", "expected a string before g"],
  ])("%j as a whole", (text, message) => {
    expect(() => parseGraph(text, ops)).toThrow(message);
  });

  it("is found out by the verifier, where it can be read", () => {
    const wrong = line('"y": float[2,4] = relu("x") from "n" "Relu"');
    expect(() => parseGraph(wrong, ops)).toThrow(
      "N2F_GRAPH_TEXT: relu gives float[1,4], not float[2,4]\n  at y, n (Relu)",
    );
  });
});
