import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

/**
 * Who may import whom, folder by folder. The same table, in words, stands in ARCHITECTURE.md.
 *
 * Ground imports ground. Data imports ground and data. Operators import both. A stage imports ground, data
 * and what it needs of the operators, never another stage; the exceptions are named with their reason.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  // Ground.
  base: [],
  fixed: ["base"],
  tensor: ["base"],
  tools: ["base", "tensor"],
  // Data.
  hwlib: ["base", "fixed"],
  ir: ["base", "fixed", "tensor"],
  design: ["base", "fixed", "hwlib", "ir"],
  artifact: ["base", "fixed", "tensor", "tools"],
  // Operators.
  ops: ["base", "fixed", "tensor", "ir"],
  // Stages.
  onnx: ["base", "fixed", "tensor", "ir", "ops"],
  passes: ["fixed", "tensor", "ir"],
  quantize: ["base", "fixed", "tensor", "ir", "ops"],
  schedule: ["base", "fixed", "tensor", "tools", "hwlib", "ir", "design", "artifact"],
  emit: ["base", "fixed", "tensor", "tools", "hwlib", "ir", "design", "artifact"],
  precision: ["tensor", "ir"],
  // Reads the options of the stages that it configures.
  config: ["base", "fixed", "tools", "precision", "quantize", "schedule"],
  // A server starts without the compiler: nothing of the graph here.
  runtime: ["base", "fixed", "tensor", "tools", "artifact"],
  // Serves what the runtime runs; it knows no more of the compiler than that does.
  serve: ["base", "fixed", "tensor", "tools", "artifact", "runtime"],
  // Speaks the server's messages; without a network it is the server's core in this process.
  client: ["tools", "serve"],
  // Puts load on servers: their messages, the client's, and what kernels answer in this process.
  bench: ["base", "tensor", "tools", "artifact", "runtime", "serve", "client"],
  // Compares what kernels answer; their types are the runtime's.
  verify: ["base", "fixed", "tensor", "ir", "artifact", "runtime"],
};

/** The command line, and the files that put stages in a row, may import anything. */
const isFree = (layer: string): boolean => layer === "cli" || layer.endsWith(".ts");

const source = join(dirname(fileURLToPath(import.meta.url)), "..", "src");

interface Import {
  readonly from: string;
  readonly to: string;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(source, file), "utf8");
  const targets = text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"(\.[^"]+)"/g);
  return Array.from(targets, ([, target]) => ({
    from: file,
    to: relative(source, normalize(join(source, dirname(file), target))),
  }));
}

const layerOf = (file: string): string => file.split("/")[0];

const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .sort();
const crossings = files.flatMap(importsOf).filter(({ from, to }) => layerOf(from) !== layerOf(to));
const text = ({ from, to }: Import): string => `${from} imports ${to}`;

describe("who imports whom", () => {
  test("every folder of src has a line in the table", () => {
    const folders = readdirSync(source, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() && entry.name !== "cli" ? [entry.name] : [],
    );
    expect(Object.keys(mayImport).sort()).toEqual(folders.sort());
  });

  test("folders import only what the table allows", () => {
    const wrong = crossings.filter(({ from, to }) => {
      const [layer, target] = [layerOf(from), layerOf(to)];
      return !isFree(layer) && !(mayImport[layer] ?? []).includes(target);
    });
    expect(wrong.map(text)).toEqual([]);
  });

  test("the table allows nothing that nobody needs", () => {
    const needed = new Set(crossings.map(({ from, to }) => `${layerOf(from)} ${layerOf(to)}`));
    const spare = Object.entries(mayImport).flatMap(([layer, targets]) =>
      targets.flatMap((target) => (needed.has(`${layer} ${target}`) ? [] : [`${layer} ${target}`])),
    );
    // What the rule grants anyway costs nothing; what only the table grants must be in use.
    const granted = new Set(["base", "fixed", "tensor", "tools", "hwlib", "ir", "design", "ops"]);
    expect(spare.filter((line) => !granted.has(line.split(" ")[1]))).toEqual([]);
  });

  test("other folders are entered through their index", () => {
    const sideDoors = crossings.filter(({ to }) => to.includes("/") && !to.endsWith("/index.ts"));
    expect(sideDoors.map(text).filter((line) => !knownSideDoors.includes(line))).toEqual([]);
  });

  test("nothing imports the command line", () => {
    expect(crossings.filter(({ to }) => layerOf(to) === "cli").map(text)).toEqual([]);
  });
});

/** The emulator's generator takes the manifest's types and nothing that reads files. */
const knownSideDoors: readonly string[] = [
  "emit/emulator/emulator.ts imports artifact/manifest.ts",
  "emit/emulator/ports.ts imports artifact/manifest.ts",
];
