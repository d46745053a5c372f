import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { compile } from "../../src/compile.ts";
import { loadConfig } from "../../src/config/index.ts";
import { packageVersion } from "../../src/tools/index.ts";
import { tinyNetwork } from "../support/onnx-models.ts";
import { temporaryFolder } from "../support/temporary.ts";

/**
 * The files that are written for tiny networks, as they are. `N2F_UPDATE_GOLDEN=1` (`npm run golden`)
 * writes them anew: read the difference.
 */
const here = fileURLToPath(new URL(".", import.meta.url));
const updates = process.env["N2F_UPDATE_GOLDEN"] === "1";

const cases = {
  "tiny-unrolled": { precision: "fixed<8,3>" },
  "tiny-folded": { precision: "fixed<8,3>", reuse: 6 },
};

/** Generated Verilog and memories of a network 2-3-2, without the module library. */
function emitted(flags: { precision: string; reuse?: number }): Map<string, string> {
  const folder = temporaryFolder();
  const model = join(folder, "tiny.onnx");
  writeFileSync(model, tinyNetwork());
  const options = { config: loadConfig(undefined, flags), calibration: [], name: "tiny" };
  compile(model, join(folder, "out"), options);
  const rtl = join(folder, "out", "rtl");
  const names = readdirSync(rtl).filter((name) => !name.startsWith("n2f_"));
  return new Map(
    names.sort().map((name) => {
      const text = readFileSync(join(rtl, name), "utf8");
      return [name, text.replaceAll(`nn2fpga ${packageVersion()}`, "nn2fpga VERSION")];
    }),
  );
}

describe("emitted files", () => {
  it.each(Object.entries(cases))("of %s", (name, flags) => {
    const files = emitted(flags);
    const expected = join(here, name, "expected");
    if (updates) {
      rmSync(expected, { recursive: true, force: true });
      mkdirSync(expected, { recursive: true });
      for (const [file, text] of files) writeFileSync(join(expected, file), text);
    }
    expect([...files.keys()]).toEqual(readdirSync(expected).sort());
    for (const [file, text] of files) {
      expect(text).toBe(readFileSync(join(expected, file), "utf8"));
    }
  });
});
