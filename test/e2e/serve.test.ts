import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { readBundle } from "../../src/artifact/index.ts";
import { compile } from "../../src/compile.ts";
import { loadConfig } from "../../src/config/index.ts";
import {
  type InferenceCore,
  planServer,
  type ServeOptions,
  startServer,
} from "../../src/serve/index.ts";
import { makeTensor, readArrays } from "../../src/tensor/index.ts";
import { openOnnxRuntime } from "../../src/tools/index.ts";
import { runCli } from "../support/cli.ts";
import { addTinyBundle, predictRows, requestOf, rowsOf, startCore } from "../support/serve.ts";
import { temporaryFolder } from "../support/temporary.ts";

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const hasRuntime = await import("onnxruntime-node").then(
  () => true,
  () => false,
);

let made: string;
let bundle: string;

beforeAll(() => {
  made = mkdtempSync(join(tmpdir(), "nn2fpga-"));
  bundle = join(made, "tiny.n2f");
  addTinyBundle(bundle);
});

afterAll(() => rmSync(made, { recursive: true, force: true }));

async function start(options: ServeOptions) {
  const plan = planServer({
    "http-port": 0,
    "grpc-port": "off",
    "metrics-port": "off",
    threads: 0,
    ...options,
  });
  const server = await startServer(plan, silent);
  onTestFinished(async () => void (await server.stop()));
  await server.loaded;
  const http = server.frontEnds.find(({ name }) => name === "http");
  return { ...server, address: http?.address ?? "" };
}

interface Answer {
  readonly status: number;
  readonly outputs: readonly { readonly data: readonly number[] }[];
}

async function infer(
  address: string,
  rows: readonly (readonly number[])[],
  model = "tiny",
): Promise<Answer> {
  const response = await fetch(`http://${address}/v2/models/${model}/infer`, {
    method: "POST",
    body: JSON.stringify({
      inputs: [{ name: "x", datatype: "FP32", shape: [rows.length, 2], data: rows.flat() }],
    }),
  });
  const { outputs = [] } = (await response.json()) as Partial<Answer>;
  return { status: response.status, outputs };
}

describe("nn2fpga deploy", () => {
  it("puts a bundle on a running server, which answers what predict answers", async () => {
    const { address } = await start({ repository: temporaryFolder() });
    const result = await runCli([
      "deploy",
      bundle,
      "--to",
      address,
      "--name",
      "sent",
      "--model-version",
      "4",
      "--json",
    ]);
    expect(result.stderr).not.toContain("N2F_");
    expect(result.exitCode).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({ model: "sent", version: "4" });
    const rows = [
      [1.25, -2],
      [0.5, 3],
    ];
    const { outputs } = await infer(address, rows, "sent");
    expect(outputs[0].data).toEqual((await predictRows(bundle, rows)).flat());
    // Again: the new one takes over.
    expect((await runCli(["deploy", bundle, "--to", address, "--name", "sent"])).exitCode).toBe(0);
    expect((await fetch(`http://${address}/v2/models/sent/ready`)).status).toBe(200);
  });

  it("says why a server refuses, and when there is none", async () => {
    const { address } = await start({ repository: bundle, "model-control": "none" });
    const refused = await runCli(["deploy", bundle, "--to", address]);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain(
      "N2F_SERVE_REMOTE: the server refused: explicit model load / unload is not allowed",
    );
    const absent = await runCli(["deploy", bundle, "--to", "127.0.0.1:1"]);
    expect(absent.stderr).toContain("N2F_SERVE_REMOTE: the server cannot be reached");
    const wrong = await runCli(["deploy", bundle, "--to", "http://host/x"]);
    expect(wrong.stderr).toContain("N2F_OPTION_INVALID");
  });
});

describe("nn2fpga serve", () => {
  const freePort = (): Promise<number> =>
    new Promise((resolve) => {
      const probe = createServer().listen(0, "127.0.0.1", () => {
        const { port } = probe.address() as AddressInfo;
        probe.close(() => resolve(port));
      });
    });

  it("serves a folder by a file of options, and drains on SIGTERM without losing a request", async () => {
    const folder = temporaryFolder();
    cpSync(bundle, join(folder, "models", "tiny.n2f"), { recursive: true });
    const port = await freePort();
    const config = join(folder, "serve.yaml");
    writeFileSync(
      config,
      `repository: ${join(folder, "models")}\nhttp-port: ${port}\ngrpc-port: off\nmetrics-port: off\ndrain-seconds: 0.5\nlog-level: silent\nthreads: 0\n`,
    );
    const address = `127.0.0.1:${port}`;
    const running = runCli(["serve", "--config", config, "--json"]);
    const status = (path: string): Promise<number> =>
      fetch(`http://${address}/v2/health/${path}`).then(
        (response) => response.status,
        () => 0,
      );
    for (let i = 0; i < 500 && (await status("ready")) !== 200; i++) {
      await new Promise((next) => setTimeout(next, 20));
    }
    const expected = (await predictRows(bundle, [[1, 2]])).flat();
    let isOver = false;
    let answered = 0;
    const clients = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const answer = await infer(address, [[1, 2]]);
        expect(answer.status).toBe(200);
        expect(answer.outputs[0].data).toEqual(expected);
        answered++;
      }
    });
    await new Promise((next) => setTimeout(next, 100));
    process.emit("SIGTERM");
    await new Promise((next) => setTimeout(next, 100));
    expect(await status("ready")).toBe(400);
    expect(await status("live")).toBe(200);
    const before = answered;
    await new Promise((next) => setTimeout(next, 100));
    expect(answered).toBeGreaterThan(before);
    isOver = true;
    await Promise.all(clients);
    const { exitCode, stdout } = await running;
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      addresses: { http: address },
      models: [{ name: "tiny", version: "1", state: "READY" }],
    });
    expect(await status("live")).toBe(0);
  });

  it("does not run without a model, a repository, or with options that it does not have", async () => {
    const options = [
      "--http-port",
      "0",
      "--grpc-port",
      "off",
      "--metrics-port",
      "off",
      "--log-level",
      "silent",
    ];
    const empty = await runCli(["serve", temporaryFolder(), "--model-control", "none", ...options]);
    expect(empty).toMatchObject({ exitCode: 2 });
    expect(empty.stderr).toContain("N2F_SERVE_NO_MODEL: the repository has no model");
    expect((await runCli(["serve", ...options])).stderr).toContain(
      "N2F_OPTION_INVALID: there is no model repository",
    );
    // Before it listens: a server that stays without a model would be taken for one that works.
    await expect(start({ repository: join(made, "gone") })).rejects.toThrow("no such folder");
    expect((await runCli(["serve", join(made, "gone"), ...options])).stderr).toContain(
      "N2F_FILE_READ",
    );
    const path = join(temporaryFolder(), "serve.yaml");
    writeFileSync(path, "http-port: 70000\ncolour: red\n");
    const wrong = await runCli(["serve", bundle, "--config", path]);
    expect(wrong.exitCode).toBe(2);
    expect(wrong.stderr).toContain("must NOT have additional properties: colour");
    expect(wrong.stderr).toContain("http-port must");
  });
});

describe("an ensemble of a kernel and ONNX Runtime", () => {
  const example = "examples/01-jet-tagger";
  let folder: string;
  let core: InferenceCore;

  it.skipIf(!hasRuntime)(
    "is the whole model, its front on the device and its rest on the processor",
    async () => {
      folder = temporaryFolder();
      const front = join(folder, "front.n2f");
      compile(`${example}/model.onnx`, front, {
        config: loadConfig(undefined, { precision: "16" }),
        calibration: [`${example}/data/calibration.npy`],
        until: splitValue,
      });
      const rest = join(folder, "rest", "1");
      mkdirSync(rest, { recursive: true });
      copyFileSync(join(front, "source", "rest.onnx"), join(rest, "model.onnx"));
      core = await startCore({ repository: folder });
      const [input, middle, output] = [
        core.modelMetadata("front", "").inputs[0],
        core.modelMetadata("front", "").outputs[0].name,
        core.modelMetadata("rest", "").outputs[0],
      ];
      expect(core.modelConfig("rest", "").backend).toBe("onnxruntime");
      const dims = (shape: readonly number[]): string => `[${shape.slice(1)}]`;
      mkdirSync(join(folder, "whole", "1"), { recursive: true });
      writeFileSync(
        join(folder, "whole", "config.pbtxt"),
        `platform: "ensemble" max_batch_size: 1000
       input { name: "in" data_type: TYPE_FP32 dims: ${dims(input.shape)} }
       output { name: "out" data_type: TYPE_FP32 dims: ${dims(output.shape)} }
       ensemble_scheduling { step [
         { model_name: "front" model_version: -1 input_map { key: "${input.name}" value: "in" } output_map { key: "${middle}" value: "mid" } },
         { model_name: "rest" model_version: -1 input_map { key: "${core.modelMetadata("rest", "").inputs[0].name}" value: "mid" } output_map { key: "${output.name}" value: "out" } }
       ] }`,
      );
      // The same by one line: both halves of the bundle, joined.
      cpSync(front, join(folder, "joined", "1", "model.n2f"), { recursive: true });
      writeFileSync(join(folder, "joined", "config.pbtxt"), 'backend: "pipeline"');
      await core.close();
      core = await startCore({ repository: folder });
      expect(core.modelConfig("joined", "")).toMatchObject({ backend: "pipeline", platform: "" });
      onTestFinished(() => core.close());

      const [{ tensor }] = readArrays(`${example}/data/test_features.npy`);
      const [count, width] = [100, tensor.shape[1]];
      const rows = Array.from({ length: count }, (_, i) =>
        Array.from(tensor.data.subarray(i * width, (i + 1) * width), Math.fround),
      );
      const answers = await Promise.all(
        [rows.slice(0, 60), rows.slice(60, 61), rows.slice(61)].map(async (part) =>
          rowsOf(await requestOf(core, "whole", part).run()),
        ),
      );
      const joined = await Promise.all(
        [rows.slice(0, 50), rows.slice(50)].map(async (part) =>
          rowsOf(await requestOf(core, "joined", part).run()),
        ),
      );
      expect(joined.flat()).toEqual(answers.flat());
      const [{ inference_stats, inference_count }] = core.modelStatistics("joined", "");
      expect([inference_stats.success.count, inference_count]).toEqual([2, count]);
      const whole = await openOnnxRuntime(`${example}/model.onnx`, []);
      const features = makeTensor([count, width], rows.flat());
      const expected = await whole.run(new Map([[input.name, features]]), [output.name]);
      const wanted = expected.get(output.name)?.data ?? new Float64Array();
      const got = answers.flat().flat();
      expect(got).toHaveLength(wanted.length);
      const worst = Math.max(...got.map((value, i) => Math.abs(value - wanted[i])));
      expect(worst).toBeLessThan(0.01);
      // Bit for bit: the rest on what the kernel gives.
      const middles = await predictRows(front, rows);
      const half = await openOnnxRuntime(join(rest, "model.onnx"), []);
      const [name] = core.modelMetadata("rest", "").inputs.map((tensor) => tensor.name);
      const exact = await half.run(
        new Map([[name, makeTensor([count, middles[0].length], middles.flat())]]),
        [output.name],
      );
      const exactRows = exact.get(output.name)?.data ?? new Float64Array();
      expect(Math.max(...got.map((value, i) => Math.abs(value - exactRows[i])))).toBeLessThan(1e-6);
      expect(readBundle(front).manifest.outputs[0].name).toBe(middle);
      expect(existsSync(join(folder, "whole", "1"))).toBe(true);
    },
  );

  it("says that a bundle has no rest to join", async () => {
    const halved = temporaryFolder();
    cpSync(bundle, join(halved, "halved", "1", "model.n2f"), { recursive: true });
    writeFileSync(join(halved, "halved", "config.pbtxt"), 'backend: "pipeline"');
    await expect(startCore({ repository: halved })).rejects.toThrow(
      "the bundle has no source/rest.onnx, which a pipeline needs",
    );
  });
});

/** Where the jet tagger is split. */
const splitValue = "dense_3/Relu:0";
