import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCli } from "../support/cli.ts";
import { temporaryFolder } from "../support/temporary.ts";

const example = "examples/01-jet-tagger";

describe("--precision auto", () => {
  it("meets its target on the jet tagger with at least 30 % less cost than the uniform width", async () => {
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
      "--target-sqnr",
      "30",
      "--json",
    ]);
    expect(exitCode, stderr).toBe(0);
    const { search, float } = JSON.parse(stdout);
    expect(float.sqnrDb).toBeGreaterThanOrEqual(30);
    expect(search.uniform.float.sqnrDb).toBeGreaterThanOrEqual(30);
    expect(search.cost).toBeLessThanOrEqual(0.7 * search.uniform.cost);
    const picture = readFileSync(join(bundle, "report/precision.svg"), "utf8");
    for (const { node } of search.layers) expect(picture).toContain(node);
  });
});
