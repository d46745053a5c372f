import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { onnx } from "onnx-proto";
import { describe, expect, it } from "vitest";
import { makeTensor } from "../../../src/tensor/index.ts";
import { loadOnnxRuntime, openOnnxRuntime } from "../../../src/tools/index.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { floats, modelBytes, value } from "../onnx/build.ts";

const isInstalled = await loadOnnxRuntime().then(
  () => true,
  () => false,
);
if (!isInstalled) console.warn("onnxruntime-node is not installed: its tests are skipped");

/** x[1,2] + b -> h -> relu -> y. */
const graph: onnx.IGraphProto = {
  node: [
    { opType: "Add", input: ["x", "b"], output: ["h"] },
    { opType: "Relu", input: ["h"], output: ["y"] },
  ],
  input: [value("x", [1, 2])],
  output: [value("y", [1, 2])],
  initializer: [floats("b", [0.5, -3])],
};

function typed(name: string, elemType: number): onnx.IValueInfoProto {
  return { name, type: { tensorType: { elemType, shape: { dim: [{ dimValue: 3 }] } } } };
}

function save(bytes: Uint8Array): string {
  const path = join(temporaryFolder(), "model.onnx");
  writeFileSync(path, bytes);
  return path;
}

const x = makeTensor([1, 2], [1, 2]);

describe.skipIf(!isInstalled)("openOnnxRuntime", () => {
  it("runs a model, and gives intermediate values where they were asked for", async () => {
    const path = save(modelBytes(graph));
    const plain = await openOnnxRuntime(path, []);
    expect(await plain.run(new Map([["x", x]]), ["y", "h"])).toEqual(
      new Map([["y", makeTensor([1, 2], [1.5, 0])]]),
    );
    // An output, a value that is no node's and one that is not there are no further outputs.
    const wide = await openOnnxRuntime(path, ["h", "y", "b", "nothing"]);
    expect(await wide.run(new Map([["x", x]]), ["h", "y"])).toEqual(
      new Map([
        ["h", makeTensor([1, 2], [1.5, -1])],
        ["y", makeTensor([1, 2], [1.5, 0])],
      ]),
    );
  });

  it.each(["plain", "with intermediate values"])("finds data beside the model: %s", async (how) => {
    const outside: onnx.ITensorProto = {
      name: "b",
      dataType: 1,
      dims: [2],
      dataLocation: 1,
      externalData: [
        { key: "location", value: "b.bin" },
        { key: "offset", value: "4" },
        { key: "length", value: "8" },
      ],
    };
    const path = save(modelBytes({ ...graph, initializer: [outside] }));
    const data = Float32Array.of(99, 0.5, -3);
    writeFileSync(join(path, "..", "b.bin"), new Uint8Array(data.buffer));
    const session = await openOnnxRuntime(path, how === "plain" ? [] : ["h"]);
    const results = await session.run(new Map([["x", x]]), ["y"]);
    expect(results.get("y")).toEqual(makeTensor([1, 2], [1.5, 0]));
  });

  // ONNX's numbers of the types, and what -1.5, 0 and 300 become in them.
  it.each([
    ["float32", 1, "float", [-1.5, 0, 300]],
    ["float64", 11, "float", [-1.5, 0, 300]],
    ["float16", 10, "float", [-1.5, 0, 300]],
    ["int64", 7, "int", [-1, 0, 300]],
    ["int32", 6, "int", [-1, 0, 300]],
    ["int16", 5, "int", [-1, 0, 300]],
    ["bool", 9, "bool", [1, 0, 1]],
  ] as const)("feeds and reads %s", async (_, elemType, dtype, expected) => {
    const node = [{ opType: "Identity", input: ["x"], output: ["y"] }];
    const io = { input: [typed("x", elemType)], output: [typed("y", elemType)] };
    const session = await openOnnxRuntime(save(modelBytes({ node, ...io })), []);
    const feed = dtype === "bool" ? [1, 0, 1] : [-1.5, 0, 300];
    const results = await session.run(new Map([["x", makeTensor([3], feed)]]), ["y"]);
    expect(results.get("y")).toEqual(makeTensor([3], expected, dtype));
  });

  it("wraps what the runtime says", async () => {
    const bad = save(modelBytes({ ...graph, output: [value("z", [1, 2])] }));
    await expect(openOnnxRuntime(bad, [])).rejects.toThrow(
      /^N2F_REFERENCE_FAILED: ONNX Runtime cannot load the model: [\s\S]*model\.onnx/,
    );
    const session = await openOnnxRuntime(save(modelBytes(graph)), []);
    const wrong = new Map([["x", makeTensor([1, 3], [1, 2, 3])]]);
    await expect(session.run(wrong, ["y"])).rejects.toThrow(
      /^N2F_REFERENCE_FAILED: ONNX Runtime cannot run the model: /,
    );
    await expect(openOnnxRuntime("/no/such.onnx", ["h"])).rejects.toThrow(/N2F_REFERENCE_FAILED/);
  });
});
