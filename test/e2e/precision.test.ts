import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCli } from "../support/cli.ts";
import { sharedPath } from "../support/shared.ts";
import { temporaryFolder } from "../support/temporary.ts";

const example = "examples/01-jet-tagger";

describe("--precision auto", () => {
  it.each([
    ["--target-sqnr", 30],
    ["--target-sqnr", 40],
    ["--target-agreement", 99],
  ])(
    "meets %s %d on the jet tagger for at most 0.7 of the cost of the uniform width",
    async (option, value) => {
      const bundle = join(temporaryFolder(), "auto.n2f");
      const { exitCode, stdout, stderr } = await runCli([
        "compile",
        `${example}/model.onnx`,
        "-o",
        bundle,
        "--calibration",
        `${example}/data/calibration.npy`,
        "--precision",
        "auto",
        option,
        String(value),
        "--json",
      ]);
      expect(exitCode, stderr).toBe(0);
      const { search, float } = JSON.parse(stdout);
      for (const { sqnrDb, argmaxAgreement } of [float, search.uniform.float])
        expect(option === "--target-sqnr" ? sqnrDb : 100 * argmaxAgreement).toBeGreaterThanOrEqual(
          value,
        );
      expect(search.cost).toBeLessThanOrEqual(0.7 * search.uniform.cost);
      const picture = readFileSync(join(bundle, "report/precision.svg"), "utf8");
      for (const { node } of search.layers) expect(picture).toContain(node);
    },
  );

  const mnist = sharedPath("corpus", "models", "mnist-cntk-8", "model.onnx");
  const digits = sharedPath("corpus", "data", "mnist_test_100.csv");
  it.skipIf(mnist === undefined || digits === undefined)(
    "and on digits with convolutions (needs ../shared)",
    async () => {
      const folder = temporaryFolder();
      const rows = readFileSync(digits ?? "", "utf8")
        .trim()
        .split("\n");
      // The first column is the label.
      const pixels = rows.map((row) => row.slice(row.indexOf(",") + 1)).join("\n");
      writeFileSync(join(folder, "digits.csv"), pixels);
      const bundle = join(folder, "mnist.n2f");
      const args = ["compile", mnist ?? "", "-o", bundle, "--architecture", "stream"];
      const more = ["--calibration", join(folder, "digits.csv"), "--precision", "auto"];
      const target = ["--target-sqnr", "30", "--json"];
      const { exitCode, stdout, stderr } = await runCli([...args, ...more, ...target]);
      expect(exitCode, stderr).toBe(0);
      const { search, float } = JSON.parse(stdout);
      expect(float.sqnrDb).toBeGreaterThanOrEqual(30);
      expect(search.cost).toBeLessThanOrEqual(0.7 * search.uniform.cost);
    },
  );
});
