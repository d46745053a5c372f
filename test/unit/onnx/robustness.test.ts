import type { onnx } from "onnx-proto";
import { describe, expect, test } from "vitest";
import { Random } from "../../../src/base/index.ts";
import { decodeModel } from "../../../src/onnx/index.ts";
import { problemOf } from "../../support/problem.ts";
import { floats, modelBytes, path, value } from "./build.ts";

/** Reads in time, or ends in exactly one problem that says where; `problemOf` throws on the rest. */
function tryToRead(bytes: Uint8Array): string {
  const before = process.cpuUsage();
  const problem = problemOf(() => decodeModel(bytes, path));
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(2);
  if (problem === undefined) return "read";
  expect(problem).toMatchObject({ at: path, hint: expect.any(String) as unknown });
  expect(problem.code).toMatch(/^N2F_ONNX_(CORRUPT|DTYPE|OPSET|EXTERNAL)$/);
  expect(problem.message.length).toBeLessThan(600);
  return problem.code;
}

/** A bit of everything: raw, typed, sparse and external tensors, graphs inside nodes, functions. */
function everything(): Uint8Array {
  const int64s = { name: "axes", dataType: 7, dims: [2], int64Data: [-1, 2] };
  const branch = { node: [{ opType: "Abs", input: ["a"], output: ["r"] }], output: [value("r")] };
  return modelBytes(
    {
      node: [
        { name: "n1", opType: "Add", input: ["x", "w"], output: ["a"] },
        {
          name: "n2",
          opType: "If",
          input: ["a", "axes"],
          output: ["b"],
          attribute: [
            { name: "then_branch", type: 5, g: branch },
            { name: "pads", type: 7, ints: [0, 1, -1] },
            { name: "value", type: 4, t: floats("", [1, 2, 3]) },
          ],
        },
        {
          name: "n3",
          domain: "my",
          opType: "Mine",
          input: ["b", "s"],
          output: ["y"],
          attribute: [
            { name: "mode", type: 3, s: Buffer.from("constant") },
            { name: "alpha", type: 1, f: 0.25 },
            { name: "scales", type: 6, floats: [1, 2, 4] },
          ],
        },
      ],
      input: [value("x", ["batch", 3, 8])],
      initializer: [
        floats("w", [1, 2, 3, 4, 5, 6, 7, 8]),
        int64s,
        { name: "h", dataType: 10, dims: [2], int32Data: [0x3c00, 0xc000] },
      ],
      sparseInitializer: [
        {
          dims: [2, 3],
          values: floats("s", [1, 2]),
          indices: { dataType: 7, dims: [2], int64Data: [0, 5] },
        },
      ],
      valueInfo: [value("a", [1, 3, 8]), value("b", ["batch"])],
    },
    {
      opsetImport: [{ version: 13 }, { domain: "my", version: 1 }],
      functions: [{ name: "Mine", domain: "my", node: [{ opType: "Abs" }] }],
      metadataProps: [{ key: "author", value: "nobody" }],
    },
  );
}

describe("a damaged file", () => {
  const whole = everything();

  test("is not this one", () => {
    expect(tryToRead(whole)).toBe("read");
  });

  test("cut off anywhere", () => {
    for (let length = 0; length < whole.length; length++) {
      tryToRead(whole.subarray(0, length));
    }
    const half = whole.subarray(0, whole.length / 2);
    expect(problemOf(() => decodeModel(half, path))?.message).toMatch(
      /claims \d+ bytes where \d+ are left/,
    );
  });

  test("with 2000 times one bit flipped", () => {
    const random = new Random(2024);
    const results = new Set<string>();
    for (let i = 0; i < 2000; i++) {
      const flipped = Uint8Array.from(whole);
      flipped[random.below(whole.length)] ^= 1 << random.below(8);
      results.add(tryToRead(flipped));
    }
    expect(results).toContain("read");
    expect(results).toContain("N2F_ONNX_CORRUPT");
  });

  test("with runs of bytes removed, doubled or set", () => {
    const random = new Random(7);
    for (let i = 0; i < 1000; i++) {
      const at = random.below(whole.length);
      const run = random.below(32);
      const start = whole.subarray(0, at);
      const end = whole.subarray(Math.min(at + [run, -run, run][i % 3], whole.length));
      const middle = i % 3 === 2 ? new Uint8Array(run).fill(random.below(256)) : [];
      tryToRead(Uint8Array.from([...start, ...middle, ...end]));
    }
  });

  test("of random bytes", () => {
    const random = new Random(99);
    for (let i = 0; i < 1000; i++) {
      tryToRead(Uint8Array.from({ length: 1 + random.below(200) }, () => random.below(256)));
    }
  });
});

describe("a file that means harm", () => {
  /** The tag and length of a field of so many bytes. */
  function head(field: number, byteCount: number): Uint8Array {
    const bytes = [field * 8 + 2];
    let length = byteCount;
    for (; length > 127; length = Math.floor(length / 128)) bytes.push((length % 128) + 128);
    return Uint8Array.from([...bytes, length]);
  }

  /** Fields inside each other, the innermost first; it is empty. */
  function nest(fields: readonly number[]): Uint8Array {
    let byteCount = 0;
    const heads = fields.map((field) => {
      const bytes = head(field, byteCount);
      byteCount += bytes.length;
      return bytes;
    });
    return Buffer.concat(heads.reverse());
  }

  test.each([
    ["graphs", [6, 5, 1], [7]],
    ["types", [1, 4], [2, 11, 7]],
  ])("by %s inside each other, a hundred thousand times", (_, cycle, around) => {
    const levels = Array.from({ length: 99_999 }, (_, i) => cycle[i % cycle.length]);
    if (cycle.length === 2) levels.push(4);
    const bytes = nest([...levels, ...around]);
    expect(tryToRead(bytes)).toBe("N2F_ONNX_CORRUPT");
    expect(problemOf(() => decodeModel(bytes, path))?.message).toContain("nest deeper than 100");
  });

  test("by graphs inside nodes, as deep as it is allowed", () => {
    let graph: onnx.IGraphProto = {
      node: [{ opType: "Abs", input: ["x"], output: ["r"] }],
      output: [value("r")],
    };
    const deeper = (depth: number) => {
      for (let i = 0; i < depth; i++) {
        const attribute = [{ name: "g", type: 5, g: graph }];
        graph = {
          node: [{ opType: "If", input: [], output: ["r"], attribute }],
          output: [value("r")],
        };
      }
      return modelBytes({ ...graph, input: [value("x")] });
    };
    expect(tryToRead(deeper(30))).toBe("read");
    expect(tryToRead(deeper(10))).toBe("N2F_ONNX_CORRUPT");
  });

  test("by groups inside groups", () => {
    expect(tryToRead(new Uint8Array(1e6).fill(0x0b))).toBe("N2F_ONNX_CORRUPT");
  });

  test("by millions of empty nodes", () => {
    const nodes = new Uint8Array(1e7);
    for (let i = 0; i < nodes.length; i += 2) nodes[i] = 0x0a;
    const bytes = Buffer.concat([head(7, nodes.length), nodes]);
    expect(tryToRead(bytes)).toBe("N2F_ONNX_CORRUPT");
    expect(problemOf(() => decodeModel(bytes, path))?.message).toContain("more than 1024 MiB");
  });

  test("by tensors of many sizes that are not true", () => {
    for (const extent of [2 ** 31, 2 ** 40, 2 ** 52, -1]) {
      const claims = { name: "w", dataType: 1, dims: [extent, 2], rawData: new Uint8Array(8) };
      expect(tryToRead(modelBytes({ initializer: [claims] }))).toBe("N2F_ONNX_CORRUPT");
    }
  });

  test("by small sparse tensors that fill up to gigabytes", () => {
    const sparse = (name: string) => ({
      dims: [2 ** 25],
      values: floats(name, []),
      indices: { dataType: 7, dims: [0] },
    });
    const many = Array.from({ length: 5 }, (_, i) => sparse(`s${i}`));
    expect(tryToRead(modelBytes({ sparseInitializer: many }))).toBe("N2F_ONNX_CORRUPT");
  });
});

test("25 million weights are read in less than two seconds of the processor", () => {
  const count = 25e6;
  const rawData = new Uint8Array(4 * count);
  const bytes = modelBytes({ initializer: [{ name: "w", dataType: 1, dims: [count], rawData }] });
  expect(tryToRead(bytes)).toBe("read");
});
