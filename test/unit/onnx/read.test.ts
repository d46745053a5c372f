import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeModel, maxOpset, minOpset, readModel } from "../../../src/onnx/index.ts";
import { makeTensor } from "../../../src/tensor/index.ts";
import { problemOf } from "../../support/problem.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { floats, modelBytes, path, read, refusal, value } from "./build.ts";

describe("a model", () => {
  test("as it is in the file", () => {
    expect(read()).toEqual({
      path,
      irVersion: 8,
      producer: "test",
      opsets: new Map([["", 13]]),
      graph: {
        name: "net",
        nodes: [
          {
            name: "",
            domain: "",
            opType: "Relu",
            inputs: ["x"],
            outputs: ["y"],
            attributes: new Map(),
          },
        ],
        inputs: [{ name: "x", elementType: "float32", shape: [1, 4] }],
        outputs: [{ name: "y", elementType: "float32", shape: [1, 4] }],
        initializers: new Map(),
        valueInfo: new Map(),
      },
      localFunctions: [],
      warnings: [],
    });
  });

  test("with the standard's domain under its other name, and functions of its own", () => {
    const model = read(
      { node: [{ opType: "Relu", domain: "ai.onnx", input: ["x"], output: ["y"] }] },
      {
        producerVersion: "1.2",
        opsetImport: [
          { domain: "ai.onnx", version: 17 },
          { domain: "my", version: 1 },
        ],
        functions: [{ name: "Twice", domain: "my" }, { name: "Thrice" }],
      },
    );
    expect(model.opsets).toEqual(
      new Map([
        ["", 17],
        ["my", 1],
      ]),
    );
    expect(model.graph.nodes[0].domain).toBe("");
    expect(model.localFunctions).toEqual(["my:Twice", "Thrice"]);
    expect(model.producer).toBe("test 1.2");
  });

  test("from a file", () => {
    const file = join(temporaryFolder(), "model.onnx");
    writeFileSync(file, modelBytes());
    expect(readModel(file)).toEqual({ ...read(), path: file });
  });

  test("with its weights in another file", () => {
    const folder = temporaryFolder();
    const file = join(folder, "model.onnx");
    const place = [
      { key: "location", value: "w.bin" },
      { key: "offset", value: "4" },
    ];
    const outside = { name: "w", dataType: 1, dims: [2], dataLocation: 1, externalData: place };
    writeFileSync(file, modelBytes({ initializer: [outside] }));
    expect(problemOf(() => readModel(file))).toMatchObject({ code: "N2F_ONNX_EXTERNAL", at: file });
    writeFileSync(join(folder, "w.bin"), new Uint8Array(Float32Array.of(1, 2, 3).buffer));
    expect(readModel(file).graph.initializers.get("w")?.data).toEqual(Float64Array.of(2, 3));
  });
});

describe("types", () => {
  test("dimensions are numbers, names, or unknown", () => {
    const { inputs } = read({ input: [value("x", [3, "batch", 0, -1, "-1", ""])] }).graph;
    expect(inputs[0].shape).toEqual([3, "batch", null, null, null, null]);
  });

  test("may be missing, or no tensors", () => {
    const elem = { tensorType: { elemType: 1 } };
    const { valueInfo } = read({
      valueInfo: [
        { name: "none" },
        { name: "rank", type: elem },
        { name: "text", type: { tensorType: { elemType: 8, shape: {} } } },
        { name: "list", type: { sequenceType: { elemType: elem } } },
        { name: "table", type: { mapType: { keyType: 7, valueType: elem } } },
        { name: "maybe", type: { optionalType: { elemType: elem } } },
        { name: "thin", type: { sparseTensorType: { elemType: 1 } } },
      ],
    }).graph;
    expect([...valueInfo.values()]).toEqual([
      { name: "none", elementType: "unknown", shape: null },
      { name: "rank", elementType: "float32", shape: null },
      { name: "text", elementType: "string", shape: [] },
      { name: "list", elementType: "sequence", shape: null },
      { name: "table", elementType: "map", shape: null },
      { name: "maybe", elementType: "optional", shape: null },
      { name: "thin", elementType: "sparse", shape: null },
    ]);
  });
});

describe("constants", () => {
  test("are not inputs, though old files list them there", () => {
    const { inputs, initializers } = read({
      input: [value("x"), value("w")],
      initializer: [floats("w", [1, 2])],
    }).graph;
    expect(inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(initializers.get("w")).toEqual({ ...makeTensor([2], [1, 2]), elementType: "float32" });
  });

  test.each([
    ["one index for each value", [3], [1, 2, 5]],
    ["an index for each axis", [3, 2], [0, 1, 0, 2, 1, 2]],
  ])("that are sparse are filled up: %s", (_, dims, indices) => {
    const sparse = {
      dims: [2, 3],
      values: floats("w", [7, 8, 9]),
      indices: { dataType: 7, dims, int64Data: indices },
    };
    const { initializers } = read({ sparseInitializer: [sparse] }).graph;
    expect(initializers.get("w")).toEqual({
      ...makeTensor([2, 3], [0, 7, 8, 0, 0, 9]),
      elementType: "float32",
    });
  });

  const indices = { dataType: 7, dims: [1], int64Data: [6] };
  test.each([
    ["an index outside", { dims: [2, 3], values: floats("w", [1]), indices }, "has the index 6"],
    [
      "a huge shape",
      { dims: [2 ** 20, 2 ** 20], values: floats("w", [1]), indices },
      "is not possible",
    ],
    [
      "too few indices",
      { dims: [9], values: floats("w", [1, 2]), indices },
      "2 values and 1 indices",
    ],
    ["no values", { dims: [9], indices }, "has no values or no indices"],
  ])("that are sparse, with %s", (_, sparse, message) => {
    expect(refusal({ sparseInitializer: [sparse] })).toContain(message);
  });

  test("of types that we do not hold are refused", () => {
    const text = { name: "w", dataType: 8, dims: [1], stringData: [Buffer.from("a")] };
    expect(refusal({ initializer: [text] })).toBe(
      'N2F_ONNX_DTYPE: tensor "w" has elements of type string',
    );
  });
});

describe("versions of the operators", () => {
  const withOpset = (version: number) => ({ opsetImport: [{ domain: "", version }] });

  test("the known ones are read in silence, newer ones with a warning", () => {
    expect(read({}, withOpset(minOpset)).warnings).toEqual([]);
    expect(read({}, withOpset(maxOpset)).warnings).toEqual([]);
    expect(read({}, withOpset(maxOpset + 1)).warnings).toMatchInlineSnapshot(`
      [
        {
          "at": "net/model.onnx",
          "code": "N2F_ONNX_OPSET",
          "hint": "They are taken for version 23. Export with opset 23 to be sure.",
          "message": "the operators are of version 24; 23 is the newest known",
        },
      ]
    `);
  });

  test("older ones are refused", () => {
    expect(refusal({}, withOpset(minOpset - 1))).toBe(
      "N2F_ONNX_OPSET: the operators are of version 5; 6 is the oldest",
    );
    expect(refusal({}, withOpset(-1))).toMatch(/^N2F_ONNX_OPSET/);
  });

  test("one has to be given, unless no standard operator is used", () => {
    const other = { opsetImport: [{ domain: "my", version: 1 }] };
    expect(refusal({}, { opsetImport: [] })).toMatch(/^N2F_ONNX_OPSET: the model does not say/);
    expect(refusal({}, other)).toMatch(/^N2F_ONNX_OPSET/);
    const node = [{ opType: "Mine", domain: "my", input: ["x"], output: ["y"] }];
    expect(read({ node }, other).opsets).toEqual(new Map([["my", 1]]));
  });

  test("two for one domain contradict each other", () => {
    const opsetImport = [{ version: 13 }, { domain: "ai.onnx", version: 14 }];
    expect(refusal({}, { opsetImport })).toBe(
      'N2F_ONNX_CORRUPT: the operators "" are of version 13 and of version 14',
    );
  });
});

describe("what is no model", () => {
  test("a file that is not there, or a folder", () => {
    const folder = temporaryFolder();
    const missing = join(folder, "model.onnx");
    expect(problemOf(() => readModel(missing))).toMatchInlineSnapshot(
      {
        at: expect.any(String) as unknown as string,
      },
      `
      {
        "at": Any<String>,
        "code": "N2F_FILE_READ",
        "hint": "Check the path; it is relative to the current folder.",
        "message": "there is no such file",
      }
    `,
    );
    mkdirSync(missing);
    expect(problemOf(() => readModel(missing))?.code).toBe("N2F_FILE_READ");
    expect(problemOf(() => readModel("/dev/zero"))?.message).toBe("this is not a file");
    expect(problemOf(() => readModel(""))?.code).toBe("N2F_FILE_READ");
  });

  test.each([
    ["nothing", "", "Export or download it again."],
    ["a web page", "<!DOCTYPE html><html>", "web page"],
    ["a pointer of Git LFS", "version https://git-lfs.github.com/spec/v1\n", "git lfs pull"],
    ["a checkpoint of PyTorch", "PK\x03\x04\x00\x00", "torch.onnx.export"],
    ["a compressed file", "\x1f\x8b\x08\x00", "gunzip"],
    ["a Keras model", "\x89HDF\r\n\x1a\n", "tf2onnx"],
    ["a TensorFlow Lite model", "\x1c\0\0\0TFL3\0\0", "TensorFlow Lite"],
    ["a numpy array", "\x93NUMPY\x01\0", "numpy"],
    ["a pickle", "\x80\x02}q\0", "pickle"],
    ["a text", "hello, this is a model\n", "text file"],
    ["zeros", "\0\0\0\0", "damaged or incomplete"],
  ])("%s", (_, content, hint) => {
    const problem = problemOf(() => decodeModel(Buffer.from(content, "latin1"), path));
    expect(problem).toMatchObject({ code: "N2F_ONNX_CORRUPT", at: path });
    expect(problem?.hint).toContain(hint);
  });

  test("a message without a graph, or without a version", () => {
    expect(refusal({}, { graph: null })).toContain("it has no graph");
    expect(refusal({}, { irVersion: 0 })).toContain("it has no version of the file format");
  });
});
