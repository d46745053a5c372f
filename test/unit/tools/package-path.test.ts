import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { packagePath, packageVersion } from "../../../src/tools/index.ts";

it("finds what comes with the package", () => {
  for (const parts of [
    ["templates", "sim", "main.cpp.hbs"],
    ["schema", "manifest.schema.json"],
    ["hw", "rtl"],
  ]) {
    expect(existsSync(packagePath(...parts))).toBe(true);
  }
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(packageVersion()).toBe(version);
});
