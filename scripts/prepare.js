// Run by npm after `npm install` in a clone, and before `npm pack`: builds dist/ where the compiler is
// installed, and makes git run the checks before each commit.

import { spawnSync } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");

// `npx nn2fpga` in a clone runs this too, the first time: there is nothing to prepare then.
const isRunning = process.env.npm_command === "exec" && existsSync(dist);
const isSetUp = process.env.N2F_SKIP_PREPARE !== undefined; // scripts/setup.sh builds by itself

if (!isRunning && existsSync(join(root, ".git"))) {
  spawnSync("git", ["config", "core.hooksPath", ".githooks"], { cwd: root, stdio: "ignore" });
}
if (!isRunning && !isSetUp) build();

/** Builds beside dist/ and then takes its place, so that nothing of an older build is left in it. */
function build() {
  const compiler = findCompiler();
  if (compiler === undefined) return;
  const fresh = join(root, "dist.new");
  rmSync(fresh, { recursive: true, force: true });
  const args = [compiler, "-p", "tsconfig.build.json", "--outDir", fresh];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (status === 0) {
    rmSync(dist, { recursive: true, force: true });
    renameSync(fresh, dist);
  }
  rmSync(fresh, { recursive: true, force: true });
  process.exitCode = status ?? 1;
}

/** TypeScript is a development dependency: absent where only the program is installed. */
function findCompiler() {
  try {
    const require = createRequire(import.meta.url);
    return join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  } catch {
    return undefined;
  }
}
