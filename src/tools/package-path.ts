import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InternalError } from "../base/index.ts";

let root: string | undefined;

/** The folder of the package: above `src/`, `dist/` or wherever it is installed. */
function packageRoot(): string {
  if (root !== undefined) return root;
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json")) && existsSync(join(folder, "templates"))) {
      root = folder;
      return folder;
    }
    if (dirname(folder) === folder)
      throw new InternalError("the package's own files are not found");
  }
}

/** A file that comes with the package: a template, a schema, a hardware module. */
export function packagePath(...parts: readonly string[]): string {
  return join(packageRoot(), ...parts);
}

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(packagePath("package.json"), "utf8")) as {
    version: string;
  };
  return version;
}
