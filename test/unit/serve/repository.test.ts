import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strToU8, unzipSync, zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { packBundle, readBundle, unpackBundle } from "../../../src/artifact/index.ts";
import {
  type CoreOptions,
  createInferenceCore,
  type InferenceCore,
} from "../../../src/serve/index.ts";
import { addTinyBundle, requestOf, rowsOf } from "../../support/serve.ts";
import { temporaryFolder } from "../../support/temporary.ts";

let made: string;
let bundle: string;

beforeAll(() => {
  made = mkdtempSync(join(tmpdir(), "nn2fpga-"));
  bundle = join(made, "tiny.n2f");
  addTinyBundle(bundle);
});

afterAll(() => rmSync(made, { recursive: true, force: true }));

async function start(
  repository: string,
  options: Partial<CoreOptions> = {},
): Promise<{ core: InferenceCore; failures: readonly string[] }> {
  const { core, loaded } = createInferenceCore({
    repository,
    threads: 0,
    modelControl: "explicit",
    ...options,
  });
  onTestFinished(() => core.close());
  return { core, failures: await loaded };
}

/** A repository with versions of a model as bundles, and its config. */
function repositoryOf(versions: readonly number[], config?: string): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "net"));
  for (const version of versions) {
    cpSync(bundle, join(folder, "net", String(version), "model.n2f"), { recursive: true });
  }
  if (config !== undefined) writeFileSync(join(folder, "net", "config.pbtxt"), config);
  return folder;
}

function breakBundle(folder: string): void {
  const path = join(folder, "golden", "outputs.bin");
  const bytes = readFileSync(path);
  bytes[0] ^= 1;
  writeFileSync(path, bytes);
}

const versions = (core: InferenceCore, model = "net"): readonly string[] =>
  core.modelMetadata(model, "").versions;

describe("a repository", () => {
  it("may be one bundle", async () => {
    const { core } = await start(bundle);
    expect(core.repositoryIndex({ ready: true }).map(({ name }) => name)).toEqual(["tiny"]);
  });

  it("serves the latest version unless the policy says otherwise", async () => {
    expect(versions((await start(repositoryOf([1, 3, 12]))).core)).toEqual(["12"]);
    const two = repositoryOf([1, 3, 12], "version_policy { latest { num_versions: 2 } }");
    expect(versions((await start(two)).core)).toEqual(["3", "12"]);
    const all = repositoryOf([1, 3, 12], "version_policy { all { } }");
    expect(versions((await start(all)).core)).toEqual(["1", "3", "12"]);
    const some = repositoryOf([1, 3, 12], "version_policy: { specific: { versions: [1, 3, 7] } }");
    const { core } = await start(some);
    expect(versions(core)).toEqual(["1", "3"]);
    expect(core.modelMetadata("net", "1").versions).toEqual(["1"]);
    expect(rowsOf(await requestOf(core, "net", [[1, 2]]).run())).toHaveLength(1);
  });

  it("echoes what config.pbtxt says, made complete", async () => {
    const text = `
      backend: "nn2fpga" max_batch_size: 64
      input { name: "x" data_type: TYPE_FP64 dims: 2 }
      parameters { key: "note" value { string_value: "kept" } }
      metric_tags { key: "a" value: "b" }
      model_repository_agents { agents { name: "checksum" parameters { key: "1/model.n2f" value: "MD5:12" } } }`;
    const { core, failures } = await start(repositoryOf([1], text));
    expect(failures).toEqual([]);
    expect(core.modelConfig("net", "")).toEqual({
      name: "net",
      platform: "",
      backend: "nn2fpga",
      max_batch_size: 64,
      version_policy: { latest: { num_versions: 1 } },
      input: [{ name: "x", data_type: "TYPE_FP64", dims: [2] }],
      output: [{ name: "y", data_type: "TYPE_FP32", dims: [2] }],
      instance_group: [{ name: "net_0", kind: "KIND_MODEL", count: 1 }],
      parameters: { note: { string_value: "kept" } },
      metric_tags: { a: "b" },
      model_repository_agents: {
        agents: [{ name: "checksum", parameters: { "1/model.n2f": "MD5:12" } }],
      },
    });
  });

  it.each([
    ['name: "other"', "the config names the model"],
    [
      'input { name: "z" data_type: TYPE_FP32 dims: 2 }',
      'an input "z" that the model does not have',
    ],
    ['input { name: "x" data_type: TYPE_STRING dims: 2 }', "cannot have the type TYPE_STRING"],
    [
      'input { name: "x" data_type: TYPE_FP32 dims: 3 }',
      "has dims [3] in the config and [2] in the model",
    ],
    ["max_batch_size: -1", "max_batch_size is -1"],
    [
      "dynamic_batching { preserve_ordering: true priority_levels: 2 }",
      "dynamic_batching has preserve_ordering and 2 priority_levels",
    ],
    ["sequence_batching { }", "sequence_batching is not supported"],
    ['backend: "tensorrt"', 'the backend "tensorrt" does not fit'],
    ['parameters { key: "max_run_rows" value { string_value: "many" } }', "max_run_rows"],
    ["instance_group { gpus: 4 }", "no instance of net has a device"],
    ['default_model_filename: "other.n2f"', "there is no other.n2f"],
    ["maxbatch: 3", 'there is no field "maxbatch"'],
  ])("refuses the config %j, and serves the other models", async (config, message) => {
    const folder = repositoryOf([1], config);
    cpSync(bundle, join(folder, "fine.n2f"), { recursive: true });
    const { core, failures } = await start(folder);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toContain(message);
    expect(core.isModelReady("fine", "")).toBe(true);
    expect(core.isModelReady("net", "")).toBe(false);
    const entry = core.repositoryIndex({ ready: false }).find(({ name }) => name === "net");
    expect(entry).toMatchObject({ state: "UNAVAILABLE" });
    expect(entry?.reason).toContain(message);
  });

  it("does not serve a bundle that was changed", async () => {
    const folder = repositoryOf([1, 2], "version_policy { all { } }");
    breakBundle(join(folder, "net", "2", "model.n2f"));
    const { core, failures } = await start(folder);
    expect(failures[0]).toContain("another hash");
    expect(versions(core)).toEqual(["1"]);
    expect(core.repositoryIndex({ ready: false }).map(({ state }) => state)).toEqual([
      "READY",
      "UNAVAILABLE",
    ]);
  });

  it("does not serve a kernel with other answers than the golden ones", async () => {
    const folder = repositoryOf([1]);
    const place = join(folder, "net", "1", "model.n2f");
    breakBundle(place);
    const path = join(place, "manifest.json");
    const { createHash } = await import("node:crypto");
    const manifest = JSON.parse(readFileSync(path, "utf8"));
    const bytes = readFileSync(join(place, "golden", "outputs.bin"));
    manifest.files["golden/outputs.bin"].sha256 = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(path, JSON.stringify(manifest));
    const { failures } = await start(folder);
    expect(failures[0]).toContain("golden vector 0 has another answer on the device emulator#0");
  });

  it("loads and unloads by name", async () => {
    const folder = repositoryOf([1]);
    const { core } = await start(folder, { models: [] });
    expect(core.repositoryIndex({ ready: false })).toEqual([]);
    await expect(core.loadModel("wrong")).rejects.toThrow(
      "failed to load 'wrong', failed to poll from model repository",
    );
    await expect(core.loadModel("../net")).rejects.toThrow("failed to load '../net'");
    expect(core.repositoryIndex({ ready: false })).toEqual([]);
    await core.loadModel("net");
    expect(core.isModelReady("net", "1")).toBe(true);
    await core.unloadModel("net");
    expect(core.isModelReady("net", "")).toBe(false);
    expect(() => core.modelConfig("net", "")).toThrow("'net' has no available versions");
    const [entry] = core.repositoryIndex({ ready: false });
    expect(entry).toMatchObject({ name: "net", reason: "unloaded" });
    await expect(core.unloadModel("wrong")).rejects.toMatchObject({ status: "NOT_FOUND" });
    await core.loadModel("net");
    expect(core.isModelReady("net", "")).toBe(true);
  });

  it("loads nothing for clients unless it may", async () => {
    const { core } = await start(bundle, { modelControl: "none" });
    await expect(core.loadModel("tiny")).rejects.toThrow(
      "explicit model load / unload is not allowed",
    );
  });

  it("reloads without dropping a request", async () => {
    const folder = repositoryOf([1]);
    const { core } = await start(folder);
    const answers: Promise<number[][]>[] = [];
    const begun = requestOf(core, "net", [[9, 9]]);
    let isOver = false;
    const clients = (async () => {
      while (!isOver) {
        answers.push(
          requestOf(core, "net", [
            [1, 2],
            [3, 4],
          ])
            .run()
            .then((r) => rowsOf(r)),
        );
        await new Promise((next) => setImmediate(next));
      }
    })();
    for (let i = 0; i < 5; i++) await core.loadModel("net");
    isOver = true;
    await clients;
    expect(answers.length).toBeGreaterThan(5);
    const all = await Promise.all(answers);
    expect(new Set(all.map((rows) => JSON.stringify(rows))).size).toBe(1);
    // Begun before all of that, filled in now: its version is still there.
    expect(rowsOf(await begun.run())).toHaveLength(1);
    const [{ inference_stats }] = core.modelStatistics("net", "");
    expect(inference_stats.success.count).toBe(answers.length + 1);
    expect(core.pressure.bytesInFlight).toBe(0);
  });

  it("keeps the old version where the new one is bad", async () => {
    const folder = repositoryOf([1]);
    const { core } = await start(folder);
    breakBundle(join(folder, "net", "1", "model.n2f"));
    await expect(core.loadModel("net")).rejects.toThrow("failed to load 'net', version 1:");
    expect(core.isModelReady("net", "1")).toBe(true);
    expect(rowsOf(await requestOf(core, "net", [[1, 2]]).run())).toHaveLength(1);
  });

  it("finds changes by itself when it polls", async () => {
    const folder = repositoryOf([1]);
    const { core } = await start(folder, { modelControl: "poll", pollSeconds: 0.02 });
    cpSync(join(folder, "net", "1"), join(folder, "next"), { recursive: true });
    renameSync(join(folder, "next"), join(folder, "net", "2"));
    cpSync(bundle, join(folder, "other.n2f"), { recursive: true });
    const until = async (isDone: () => boolean): Promise<void> => {
      for (let i = 0; i < 2000 && !isDone(); i++) await new Promise((next) => setTimeout(next, 10));
      expect(isDone()).toBe(true);
    };
    await until(() => core.isModelReady("net", "2") && core.isModelReady("other", "1"));
    expect(core.isModelReady("net", "1")).toBe(false);
    rmSync(join(folder, "other.n2f"), { recursive: true });
    await until(() => !core.isModelReady("other", ""));
  });

  it("drains: not ready, still answering, then refusing", async () => {
    const { core } = await start(bundle);
    expect([core.isLive, core.isReady]).toEqual([true, true]);
    core.startDrain();
    expect([core.isLive, core.isReady]).toEqual([true, false]);
    const request = requestOf(core, "tiny", [[1, 2]]);
    expect(await core.idle(20)).toBe(false);
    const answer = request.run();
    expect(await core.idle(5000)).toBe(true);
    rowsOf(await answer);
    await core.close();
    expect([core.isLive, core.isReady]).toEqual([false, false]);
    expect(() => requestOf(core, "tiny", [[1, 2]])).toThrow();
    expect(() =>
      core.begin({ model: "tiny", version: "", id: "", inputs: [], outputs: [] }),
    ).toThrow("Server exiting");
  });
});

describe("a bundle that a client sends", () => {
  const archive = (change: (files: Record<string, Uint8Array>) => void = () => {}): Uint8Array => {
    const files = unzipSync(packBundle(readBundle(bundle)));
    change(files);
    return zipSync(files);
  };

  it("travels as an archive, and is the same on the other side", () => {
    const place = join(temporaryFolder(), "again.n2f");
    const bytes = packBundle(readBundle(bundle));
    expect(packBundle(readBundle(bundle))).toEqual(bytes);
    const { manifest } = unpackBundle(bytes, place);
    expect(manifest).toEqual(readBundle(bundle).manifest);
  });

  it("serves, with the config that came along", async () => {
    const { core } = await start(temporaryFolder());
    const files = new Map([["3/model.n2f.zip", archive()]]);
    await core.loadModel("sent", { files, config: '{"max_batch_size": 7}' });
    expect(versions(core, "sent")).toEqual(["3"]);
    expect(core.modelConfig("sent", "").max_batch_size).toBe(7);
    expect(rowsOf(await requestOf(core, "sent", [[1, 2]]).run())).toHaveLength(1);
  });

  it.each<[string, ReadonlyMap<string, Uint8Array>]>([
    ["leaves the folder", new Map([["../1/model.n2f.zip", new Uint8Array(1)]])],
    ["has an absolute path", new Map([["/etc/model.n2f.zip", new Uint8Array(1)]])],
    ["is no archive", new Map([["1/model.n2f.zip", strToU8("no zip")]])],
    ["is empty", new Map([["1/model.n2f.zip", new Uint8Array(0)]])],
    ["is a folder's name", new Map([["1/model.n2f", strToU8("x")]])],
  ])("is refused where it %s", async (_, files) => {
    const { core } = await start(temporaryFolder());
    await expect(core.loadModel("sent", { files })).rejects.toThrow("failed to load 'sent'");
    expect(core.isModelReady("sent", "")).toBe(false);
  });

  it.each<[string, (files: Record<string, Uint8Array>) => void, string]>([
    ["a path out of it", (files) => (files["../evil"] = strToU8("x")), "is no path for a bundle"],
    ["a file of its own", (files) => (files["extra.txt"] = strToU8("x")), "does not list"],
    ["no manifest", (files) => delete files["manifest.json"], "no manifest"],
    ["a file too few", (files) => delete files["golden/inputs.bin"], "cannot be read"],
    ["another hash", (files) => (files["golden/inputs.bin"][0] ^= 1), "another hash"],
    ["another size", (files) => (files["golden/inputs.bin"] = new Uint8Array(3)), "another size"],
  ])(
    "is refused with %s, and leaves the old one serving and nothing on disk",
    async (_, change, message) => {
      // Not where servers of other tests keep theirs.
      vi.stubEnv("TMPDIR", temporaryFolder());
      onTestFinished(() => void vi.unstubAllEnvs());
      const { core } = await start(temporaryFolder());
      await core.loadModel("sent", { files: new Map([["1/model.n2f.zip", archive()]]) });
      const before = stagedFolders();
      const files = new Map([["1/model.n2f.zip", archive(change)]]);
      await expect(core.loadModel("sent", { files })).rejects.toThrow(message);
      expect(core.isModelReady("sent", "1")).toBe(true);
      expect(stagedFolders()).toEqual(before);
    },
  );

  it("may not be larger than the limit", () => {
    const place = join(temporaryFolder(), "big.n2f");
    expect(() => unpackBundle(archive(), place, 1000)).toThrow("more than 1000 bytes");
    expect(existsSync(place)).toBe(false);
  });
});

function stagedFolders(): string[] {
  return readdirSync(tmpdir())
    .filter((name) => name.startsWith("nn2fpga-serve-"))
    .sort();
}

describe("an ensemble", () => {
  const ensemble = `
    platform: "ensemble" max_batch_size: 100
    input { name: "in" data_type: TYPE_FP32 dims: 2 }
    output { name: "out" data_type: TYPE_FP32 dims: 2 }
    ensemble_scheduling {
      step [
        { model_name: "tiny" model_version: -1 input_map { key: "x" value: "mid" } output_map { key: "y" value: "out" } },
        { model_name: "tiny" model_version: -1 input_map { key: "x" value: "in" } output_map { key: "y" value: "mid" } }
      ]
    }`;

  function repository(config = ensemble): string {
    const folder = temporaryFolder();
    cpSync(bundle, join(folder, "tiny.n2f"), { recursive: true });
    mkdirSync(join(folder, "both", "1"), { recursive: true });
    writeFileSync(join(folder, "both", "config.pbtxt"), config);
    return folder;
  }

  it("joins models, whatever the order of its steps", async () => {
    const { core, failures } = await start(repository());
    expect(failures).toEqual([]);
    const rows = [
      [1, 2],
      [-3, 0.5],
    ];
    const middle = rowsOf(await requestOf(core, "tiny", rows).run());
    const expected = rowsOf(await requestOf(core, "tiny", middle).run());
    expect(rowsOf(await requestOf(core, "both", rows).run())).toEqual(expected);
    expect(core.modelConfig("both", "").platform).toBe("ensemble");
    expect(core.isModelReady("both", "")).toBe(true);
    const [{ inference_count, inference_stats }] = core.modelStatistics("both", "");
    expect([inference_count, inference_stats.compute_infer.count]).toEqual([2, 1]);
    expect(core.modelStatistics("tiny", "")[0].inference_stats.success.count).toBe(4);
    expect(core.pressure.bytesInFlight).toBe(0);
  });

  it("is as ready as its models, and takes them along when it is unloaded so", async () => {
    const { core } = await start(repository());
    await core.unloadModel("tiny");
    expect(core.isModelReady("both", "")).toBe(false);
    await expect(requestOf(core, "both", [[1, 2]]).run()).rejects.toMatchObject({
      status: "UNAVAILABLE",
      message: expect.stringContaining("in ensemble 'both', "),
    });
    await core.loadModel("tiny");
    expect(core.isModelReady("both", "")).toBe(true);
    await core.unloadModel("both", { unloadDependents: true });
    expect(core.isModelReady("tiny", "")).toBe(false);
  });

  it("is cancelled as a whole", async () => {
    const { core } = await start(repository());
    const request = requestOf(core, "both", [[1, 2]]);
    const answer = request.run();
    request.cancel();
    await expect(answer).rejects.toMatchObject({ status: "CANCELLED" });
    expect(await core.idle(1000)).toBe(true);
    await new Promise((next) => setTimeout(next, 20));
    expect(core.pressure.bytesInFlight).toBe(0);
  });

  it.each([
    [
      "a tensor that no step makes",
      ensemble.replace(
        'value: "mid" } output_map { key: "y" value: "out"',
        'value: "gone" } output_map { key: "y" value: "out"',
      ),
      'no step makes the tensor "gone"',
    ],
    [
      "a model that is not there",
      ensemble.replace('model_name: "tiny"', 'model_name: "none"'),
      "'none' is not found",
    ],
    [
      "an input that the model does not have",
      ensemble.replace('key: "x"', 'key: "q"'),
      'has no input "q"',
    ],
    ["a circle", ensemble.replace('value: "in" }', 'value: "mid" }'), "waits for itself"],
  ])("is refused with %s", async (_, config, message) => {
    const { core, failures } = await start(repository(config));
    expect(failures[0]).toContain(message);
    expect(core.isModelReady("tiny", "")).toBe(true);
  });
});

describe("an identity model", () => {
  it("gives any type back, texts too", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "echo", "1"), { recursive: true });
    const config = `backend: "identity" max_batch_size: 8
      input { name: "i" data_type: TYPE_STRING dims: -1 } output { name: "o" data_type: TYPE_STRING dims: -1 }`;
    writeFileSync(join(folder, "echo", "config.pbtxt"), config);
    const { core, failures } = await start(folder);
    expect(failures).toEqual([]);
    const send = async (bytes: Buffer, shape: readonly number[]) => {
      const request = core.begin({
        model: "echo",
        version: "",
        id: "",
        inputs: [{ name: "i", datatype: "BYTES", shape }],
        outputs: [],
      });
      request.inputs[0].open(bytes.length).set(bytes);
      const response = await request.run();
      const [{ shape: back, bytes: out }] = response.outputs;
      const result = [back, Buffer.from(out).toString("latin1")];
      response.release();
      return result;
    };
    const two = Buffer.from("\x03\0\0\0abc\0\0\0\0", "latin1");
    expect(await send(two, [1, 2])).toEqual([[1, 2], two.toString("latin1")]);
    await expect(send(two, [1, 3])).rejects.toThrow("unexpected number of string elements 2");
    await expect(send(two, [1, 1])).rejects.toThrow("unexpected number of string elements");
    await expect(send(two.subarray(0, 9), [1, 2])).rejects.toThrow(
      "incomplete string length indicator",
    );
    await expect(send(two.subarray(0, 6), [1, 2])).rejects.toThrow("incomplete string data");
  });
});
