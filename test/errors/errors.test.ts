import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { encodeNpy, encodeNpz } from "../support/arrays.ts";
import { runCli } from "../support/cli.ts";
import { tinyNetwork, unsupportedNetwork } from "../support/onnx-models.ts";
import { sharedPath } from "../support/shared.ts";
import { temporaryFolder } from "../support/temporary.ts";

/**
 * What a user sees who makes a typical mistake: exit code and every word, in `<case>/expected.txt`.
 * `N2F_UPDATE_GOLDEN=1` writes the files anew.
 */
const here = fileURLToPath(new URL(".", import.meta.url));
const updates = process.env["N2F_UPDATE_GOLDEN"] === "1";

interface Mistake {
  /** Files to make, by name; a function also runs commands. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Commands that are no mistake, before the one that is. */
  readonly before?: readonly string[];
  /** Damages what the commands before have made. */
  readonly damage?: (folder: string) => void;
  /** The command line; names of files are made paths where they stand behind `@`. */
  readonly command: string;
}

const model = { "model.onnx": tinyNetwork() };
const compiled = { files: model, before: ["compile @model.onnx -o @bundle.n2f"] };

const mistakes: Readonly<Record<string, Mistake>> = {
  "missing-file": { command: "compile @missing.onnx -o @out" },
  "not-onnx": {
    files: { "model.onnx": "import torch\nmodel = torch.nn.Linear(2, 3)\n" },
    command: "compile @model.onnx -o @out",
  },
  "truncated-onnx": {
    files: { "model.onnx": tinyNetwork().subarray(0, 150) },
    command: "compile @model.onnx -o @out",
  },
  "unsupported-nodes": {
    files: { "model.onnx": unsupportedNetwork() },
    command: "compile @model.onnx -o @out",
  },
  "unsupported-nodes-json": {
    files: { "model.onnx": unsupportedNetwork() },
    command: "compile @model.onnx -o @out --json",
  },
  "wrong-precision": {
    files: model,
    command: "compile @model.onnx -o @out --precision fixed<16>",
  },
  "wrong-rounding": {
    files: model,
    command: "compile @model.onnx -o @out --precision ap_fixed<16,6,UP,SAT>",
  },
  "unknown-layer": {
    files: { ...model, "config.yaml": "LayerName:\n  fc7:\n    Precision: fixed<8,2>\n" },
    command: "compile @model.onnx -o @out --config @config.yaml",
  },
  "bad-yaml-key": {
    files: { ...model, "config.yaml": "Model:\n  Precison: fixed<8,2>\n  ReuseFactor: zero\n" },
    command: "compile @model.onnx -o @out --config @config.yaml",
  },
  "not-yaml": {
    files: { ...model, "config.yaml": "Model: [unclosed\n" },
    command: "compile @model.onnx -o @out --config @config.yaml",
  },
  "data-of-wrong-shape": {
    files: { ...model, "data.npy": encodeNpy([4, 3], new Float32Array(12)) },
    command: "compile @model.onnx -o @out --calibration @data.npy",
  },
  "npz-with-wrong-names": {
    files: {
      ...model,
      "data.npz": encodeNpz({
        features: encodeNpy([4, 2], new Float32Array(8)),
        labels: encodeNpy([4, 1], new Float32Array(4)),
      }),
    },
    command: "compile @model.onnx -o @out --calibration @data.npz",
  },
  "output-folder-is-no-bundle": {
    files: { ...model, "out/thesis.txt": "three years of work" },
    command: "compile @model.onnx -o @out",
  },
  "no-bundle": {
    files: { "folder/readme.txt": "nothing here" },
    command: "verify @folder",
  },
  "tampered-bundle": {
    ...compiled,
    damage: (folder) => {
      const path = join(folder, "bundle.n2f/rtl/bundle_top.sv");
      writeFileSync(path, readFileSync(path, "utf8").replace("tlast", "tlost"));
    },
    command: "verify @bundle.n2f",
  },
  "unknown-device": {
    ...compiled,
    files: { ...model, "x.csv": "0.5,1\n" },
    command: "predict @bundle.n2f --inputs @x.csv --device cloud",
  },
  "prediction-of-wrong-shape": {
    ...compiled,
    files: { ...model, "x.csv": "0.5,1,2\n1,2,3\n" },
    command: "predict @bundle.n2f --inputs @x.csv",
  },
  "reuse-zero": { files: model, command: "compile @model.onnx -o @out --reuse 0" },
  "reuse-zero-json": { files: model, command: "compile @model.onnx -o @out --reuse 0 --json" },
  "unknown-option": { files: model, command: "compile @model.onnx -o @out --turbo" },
  "unknown-command": { command: "synthesize @model.onnx" },
  "no-output": { files: model, command: "compile @model.onnx" },
  "picture-of-unknown-kind": { files: model, command: "inspect @model.onnx --picture @net.pdf" },
  "picture-nowhere": { files: model, command: "inspect @model.onnx --picture @no/such/net.svg" },
};

/** Real models that no fixed-point compiler takes as they are: each is told so, by both commands. */
const odd = ["finn-hls-dataflow-node", "qonnx-floatquant-fp8", "xgboost-tree-classifier"];
const oddFolder = sharedPath("corpus", "odd_models");
if (oddFolder === undefined) console.warn("shared/corpus is absent: odd models are SKIPPED");
const oddCases = odd.flatMap((name) =>
  (["compile", "inspect"] as const).map((verb) => ({ name, verb, key: `odd-${name}-${verb}` })),
);

async function provoke(
  { files = {}, before = [], damage, command }: Mistake,
  folder: string,
): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  const words = (line: string) => line.replaceAll("@", `${folder}/`).split(" ");
  for (const line of before) expect((await runCli(words(line))).exitCode).toBe(0);
  damage?.(folder);
  const listing = () => readdirSync(folder, { recursive: true }).sort();
  const there = listing();
  const { exitCode, stdout, stderr } = await runCli(words(command));
  // A mistake leaves nothing behind and destroys nothing.
  expect(listing()).toEqual(there);
  const plain = (text: string) =>
    text.replaceAll(`${folder}/`, "").replace(/^\[ *[\d.]+ s\]/gm, "[time]");
  return [
    `$ nn2fpga ${command.replaceAll("@", "")}`,
    `exit code ${exitCode}`,
    "--- stdout",
    plain(stdout).trimEnd(),
    "--- stderr",
    plain(stderr).trimEnd(),
    "",
  ].join("\n");
}

it("every folder is a case", () => {
  const folders = readdirSync(here, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).sort()).toEqual(
    [...Object.keys(mistakes), ...oddCases.map(({ key }) => key)].sort(),
  );
});

describe("what a user sees", () => {
  it.each(Object.entries(mistakes))("of %s", async (name, mistake) => {
    await expectText(name, mistake);
  });

  it.skipIf(oddFolder === undefined).each(oddCases)(
    "of $name, $verb",
    async ({ name, verb, key }) => {
      const bytes = readFileSync(join(oddFolder as string, name, "model.onnx"));
      const command = verb === "compile" ? "compile @model.onnx -o @out" : "inspect @model.onnx";
      await expectText(key, { files: { "model.onnx": bytes }, command });
    },
  );
});

async function expectText(name: string, mistake: Mistake): Promise<void> {
  const text = await provoke(mistake, temporaryFolder());
  const path = join(here, name, "expected.txt");
  if (updates) {
    mkdirSync(join(here, name), { recursive: true });
    writeFileSync(path, text);
  }
  expect(existsSync(path), "run with N2F_UPDATE_GOLDEN=1 and read what it writes").toBe(true);
  expect(text).toBe(readFileSync(path, "utf8"));
}
