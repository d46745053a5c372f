import { join } from "node:path";
import { expect, it } from "vitest";
import { readBundle } from "../../src/artifact/index.ts";
import { readModel } from "../../src/onnx/index.ts";
import { openDevice, predict } from "../../src/runtime/index.ts";
import { makeTensor, type Tensor } from "../../src/tensor/index.ts";
import { openOnnxRuntime } from "../../src/tools/index.ts";
import { runCli } from "../support/cli.ts";
import { temporaryFolder } from "../support/temporary.ts";

const example = "examples/01-jet-tagger";
const hasRuntime = await import("onnxruntime-node").then(
  () => true,
  () => false,
);

it.skipIf(!hasRuntime)("splits a model whose halves together say what the whole says", async () => {
  const folder = join(temporaryFolder(), "front.n2f");
  const args = ["compile", `${example}/model.onnx`, "-o", folder, "--until", "dense_3/Relu:0"];
  const calibration = ["--calibration", `${example}/data/calibration.npy`];
  const { exitCode, stderr } = await runCli([...args, ...calibration]);
  expect(exitCode, stderr).toBe(0);
  const bundle = readBundle(folder);
  expect(bundle.manifest.outputs.map(({ name, shape }) => [name, shape])).toEqual([
    ["dense_3/Relu:0", [1, 32]],
  ]);

  const input = Float64Array.from({ length: 16 }, (_, i) => Math.sin(i));
  const device = openDevice("emulator");
  const kernel = await device.load(bundle);
  const [features] = await predict(kernel, bundle.manifest, {
    count: 1,
    data: new Map([["features", input]]),
  });
  await kernel.close();
  await device.close();
  const [between] = readModel(join(folder, "source/rest.onnx")).graph.inputs;
  expect(between).toEqual({ name: "dense_3/Relu:0", elementType: "float32", shape: ["N", 32] });
  const rest = await openOnnxRuntime(join(folder, "source/rest.onnx"), []);
  const whole = await openOnnxRuntime(`${example}/model.onnx`, []);
  const feeds = (name: string, tensor: Tensor) => new Map([[name, tensor]]);
  const joined = await rest.run(
    feeds("dense_3/Relu:0", makeTensor([1, 32], features.tensor.data)),
    ["probabilities"],
  );
  const direct = await whole.run(feeds("features", makeTensor([1, 16], input)), ["probabilities"]);
  const error = joined
    .get("probabilities")
    ?.data.map((p, i) => Math.abs(p - (direct.get("probabilities")?.data[i] ?? Number.NaN)));
  expect(Math.max(...(error ?? [1]))).toBeLessThan(2 ** -7);
});
