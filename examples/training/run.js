// Runs a TypeScript file of the examples: node examples/training/run.js FILE
//
// Node 20 cannot read TypeScript by itself. Vite, which comes with vitest, strips the types while loading.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { runnerImport } from "vite";

const file = process.argv[2];
if (file === undefined || !existsSync(file)) {
  console.error("usage: node examples/training/run.js FILE.ts");
  process.exit(2);
}
await runnerImport(resolve(file), { configFile: false, logLevel: "warn" });
