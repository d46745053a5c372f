// Runs a TypeScript file: node scripts/lib/run-typescript.js FILE [ARGUMENTS]
//
// Node 20 cannot read TypeScript by itself. Vite, which comes with vitest, strips the types while loading.
import { resolve } from "node:path";
import { runnerImport } from "vite";

await runnerImport(resolve(process.argv[2]), { configFile: false, logLevel: "warn" });
