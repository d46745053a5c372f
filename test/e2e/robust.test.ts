import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import { type CliResult, runCli } from "../support/cli.ts";
import { tinyNetwork } from "../support/onnx-models.ts";
import { sharedPath } from "../support/shared.ts";
import { temporaryFolder } from "../support/temporary.ts";

const limitMs = 20_000;

/** Compiles some bytes as a model. */
async function compileBytes(bytes: Uint8Array): Promise<CliResult & { folder: string }> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "model.onnx"), bytes);
  const started = performance.now();
  const result = await runCli(["compile", join(folder, "model.onnx"), "-o", join(folder, "out")]);
  expect(performance.now() - started).toBeLessThan(limitMs);
  return { ...result, folder };
}

/** A refusal is one or more coded problems; nothing else is left of it. */
function expectRefusal({ exitCode, stderr, folder }: CliResult & { folder: string }): void {
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 2 });
  expect(stderr).toMatch(/^N2F_[A-Z_]+: /m);
  expect(stderr).not.toMatch(/^ +at .*\.(ts|js):\d+/m);
  expect(readdirSync(folder)).toEqual(["model.onnx"]);
}

function expectDoneOrRefusal(result: CliResult & { folder: string }): void {
  if (result.exitCode !== 0) expectRefusal(result);
  else expect(existsSync(join(result.folder, "out", "manifest.json"))).toBe(true);
}

const odd = sharedPath("corpus/odd_models");
if (odd === undefined) console.warn("../shared is not there: odd models are SKIPPED");
const oddFiles =
  odd === undefined
    ? []
    : readdirSync(odd, { recursive: true, encoding: "utf8" }).map((name) => join(odd, name));

describe.skipIf(odd === undefined)("odd models are refused", () => {
  it("that are no models of ours, each in its own way", async () => {
    const models = oddFiles.filter((file) => file.endsWith(".onnx"));
    expect(models.length).toBeGreaterThanOrEqual(3);
    for (const file of models) expectRefusal(await compileBytes(readFileSync(file)));
  });

  it("and so is what is no model at all", async () => {
    for (const file of oddFiles.filter((name) => /\.(md|json|txt|py)$/.test(name))) {
      expectRefusal(await compileBytes(readFileSync(file)));
    }
  });
});

const jets = sharedPath("corpus/models/hls4ml-jet-3layer-mlp/model.onnx");
/** Flips of each model: what is whole enough is compiled, which takes a second or two for the jet tagger. */
const models: readonly (readonly [string, Uint8Array, number])[] = [
  ["a tiny network", tinyNetwork(), 100],
  ...(jets === undefined ? [] : [["the jet tagger", readFileSync(jets), 20] as const]),
];

describe.each(models)("%s", (_name, bytes, flips) => {
  it("is refused when it is truncated, and when it is empty", async () => {
    for (let tenth = 0; tenth <= 9; tenth++) {
      expectRefusal(await compileBytes(bytes.subarray(0, (bytes.length * tenth) / 10)));
    }
  });

  it("is compiled or refused when bits are flipped", async () => {
    const seen = { done: 0, refused: 0 };
    for (let seed = 0; seed < flips; seed++) {
      const random = new Random(seed);
      const damaged = Uint8Array.from(bytes);
      // Half of the flips go where the structure is, which is a small part of the file.
      const reach = seed % 2 === 0 ? damaged.length : Math.min(damaged.length, 400);
      damaged[random.below(reach)] ^= 1 << random.below(8);
      const result = await compileBytes(damaged);
      expectDoneOrRefusal(result);
      if (result.exitCode === 0) seen.done++;
      else seen.refused++;
    }
    expect(seen.done).toBeGreaterThan(0);
    expect(seen.refused).toBeGreaterThan(0);
  });
});

const bin = fileURLToPath(new URL("../../bin/nn2fpga.js", import.meta.url));
const isBuilt = existsSync(fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url)));
if (!isBuilt) console.warn("dist is not built: the installed command is NOT tried");

describe.skipIf(!isBuilt)("the installed command", () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [bin, ...args], { encoding: "utf8", timeout: limitMs });

  it("refuses with exit code 2 and no stack trace", () => {
    const folder = temporaryFolder();
    const broken = [new Uint8Array(), tinyNetwork().subarray(0, 99), Buffer.from("no model")];
    for (const [i, bytes] of broken.entries()) {
      const model = join(folder, `broken${i}.onnx`);
      writeFileSync(model, bytes);
      const { status, stderr } = run("compile", model, "-o", join(folder, "out"));
      expect({ status, stderr }).toMatchObject({ status: 2 });
      expect(stderr).toMatch(/^N2F_ONNX_CORRUPT: /m);
      expect(existsSync(join(folder, "out"))).toBe(false);
    }
  });

  it("compiles what is whole", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "tiny.onnx"), tinyNetwork());
    const { status, stdout } = run(
      ...["compile", join(folder, "tiny.onnx"), "-o", join(folder, "out"), "--json"],
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ architecture: "parallel", intervalCycles: 1 });
  });
});

describe("a bundle appears whole or not at all", () => {
  // Root may write everywhere.
  const isRoot = process.getuid?.() === 0;

  it.skipIf(isRoot)("where the folder above cannot be written", async () => {
    const folder = temporaryFolder();
    const [model, locked] = [join(folder, "model.onnx"), join(folder, "locked")];
    writeFileSync(model, tinyNetwork());
    mkdirSync(locked);
    chmodSync(locked, 0o500);
    const { exitCode, stderr } = await runCli(["compile", model, "-o", join(locked, "out")]);
    chmodSync(locked, 0o700);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^N2F_FILE_WRITE: /m);
    expect(readdirSync(locked)).toEqual([]);
  });

  it("where a file stands in the way", async () => {
    const folder = temporaryFolder();
    const model = join(folder, "model.onnx");
    writeFileSync(model, tinyNetwork());
    writeFileSync(join(folder, "out"), "mine");
    for (const place of ["out", "out/inside"]) {
      const { exitCode, stderr } = await runCli(["compile", model, "-o", join(folder, place)]);
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(/^N2F_FILE_WRITE: /m);
      expect(readdirSync(folder).sort()).toEqual(["model.onnx", "out"]);
      expect(readFileSync(join(folder, "out"), "utf8")).toBe("mine");
    }
  });

  it("and an older bundle stays when the new model is broken", async () => {
    const folder = temporaryFolder();
    const [model, out] = [join(folder, "model.onnx"), join(folder, "out")];
    writeFileSync(model, tinyNetwork());
    expect((await runCli(["compile", model, "-o", out])).exitCode).toBe(0);
    const before = readFileSync(join(out, "manifest.json"), "utf8");
    writeFileSync(model, tinyNetwork().subarray(0, 80));
    expect((await runCli(["compile", model, "-o", out])).exitCode).toBe(2);
    expect(readFileSync(join(out, "manifest.json"), "utf8")).toBe(before);
    writeFileSync(model, tinyNetwork());
    const again = await runCli(["compile", model, "-o", out, "--precision", "8"]);
    expect(again.exitCode).toBe(0);
    expect(readFileSync(join(out, "manifest.json"), "utf8")).not.toBe(before);
    expect(
      readdirSync(folder)
        .map((name) => basename(name))
        .sort(),
    ).toEqual(["model.onnx", "out"]);
  });
});
