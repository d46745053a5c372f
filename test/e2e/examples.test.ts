import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { availableDevices } from "../../src/index.ts";
import { findTool } from "../../src/tools/index.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const hasVerilator = availableDevices().includes("rtl");
const hasIcarus = findTool("iverilog") !== undefined;
/** `npm run golden` writes down what the examples print; only where nothing of it is missing. */
const isUpdating = process.env["N2F_UPDATE_GOLDEN"] === "1" && hasVerilator && hasIcarus;

/** Runs a program of the clone in its folder, and gives what it prints. */
function run(...args: readonly string[]): string {
  expect(existsSync(join(root, "dist", "index.js")), "npm run build comes first").toBe(true);
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  return stdout;
}

/** What `run.js` prints, without what needs a simulator that is not here. */
function comparable(text: string): string[] {
  const [commands, facts] = text.split("\n\n");
  const needsVerilator = (part: string): boolean =>
    /^(Verilator|verified|rtl)\b|--device rtl/.test(part);
  const asked = commands.split(/^(?=\$ )/m);
  const kept = [...asked.map((command) => command.trim()), ...facts.trim().split("\n")];
  return kept.filter(
    (part) => (hasVerilator || !needsVerilator(part)) && (hasIcarus || !part.startsWith("Icarus")),
  );
}

/** The block of a page that comes after a mark; written first where `npm run golden` wants it. */
function shownBlock(page: string, mark: string, wanted: string): string | undefined {
  const path = join(root, page);
  const start = `<!-- ${mark} -->\n\`\`\`\n`;
  const [before, rest] = readFileSync(path, "utf8").split(start);
  if (rest === undefined) return undefined;
  const end = rest.indexOf("```\n");
  if (isUpdating) writeFileSync(path, `${before}${start}${wanted}${rest.slice(end)}`);
  return isUpdating ? wanted : rest.slice(0, end);
}

describe.each(["01-jet-tagger", "02-facile"])("examples/%s", (name) => {
  const folder = join(root, "examples", name);
  const expectedFile = join(folder, "expected.txt");
  const readFacts = (): string => readFileSync(expectedFile, "utf8").split("\n\n")[1];

  test("prints what expected.txt says", () => {
    const printed = run(join(folder, "run.js"));
    if (isUpdating) writeFileSync(expectedFile, printed);
    expect(comparable(printed)).toEqual(comparable(readFileSync(expectedFile, "utf8")));
  });

  test.skipIf(!hasVerilator)("simulates its Verilog (needs Verilator and g++)", () => {
    const manifest = join(root, "build", name, `${name.slice(3)}.n2f`, "manifest.json");
    const { kernel, measured } = JSON.parse(readFileSync(manifest, "utf8"));
    expect(measured).toMatchObject(kernel.predicted);
  });

  test("its README shows the same", () => {
    const facts = readFacts();
    expect(shownBlock(`examples/${name}/README.md`, `examples/${name}/expected.txt`, facts)).toBe(
      facts,
    );
  });

  test("so does the front page, where it does", () => {
    const facts = readFacts();
    expect([undefined, facts]).toContain(
      shownBlock("README.md", `examples/${name}/expected.txt`, facts),
    );
  });
});

/** Long tables: some rows at the beginning and the last ones. */
function shorten(text: string): string {
  const isRule = (line: string): boolean => /^ *-[- ]+$/.test(line);
  const lines = text.trimEnd().split("\n");
  const kept: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    kept.push(lines[i]);
    if (!isRule(lines[i])) continue;
    const blank = lines.indexOf("", i);
    const rows = lines.slice(i + 1, blank < 0 ? lines.length : blank);
    kept.push(...(rows.length <= 9 ? rows : [...rows.slice(0, 6), "  ...", ...rows.slice(-2)]));
    i += rows.length;
  }
  return `${kept.join("\n")}\n`;
}

describe("the walk through the front page", () => {
  const program = join(root, "bin", "nn2fpga.js");
  const example = "examples/01-jet-tagger";
  const bundle = "build/jet-tagger.n2f";
  const options = ["--config", `${example}/config.yaml`];
  const data = ["--calibration", `${example}/data/calibration.npy`];
  const commands: readonly (readonly string[])[] = [
    ["inspect", `${example}/model.onnx`],
    ["compile", `${example}/model.onnx`, "-o", bundle, ...options, ...data],
    ["verify", bundle],
  ];

  test.each(commands)("shows what %s prints", (...args) => {
    const printed = shorten(run(program, ...args));
    const shown = shownBlock("README.md", `output of ${args[0]}`, printed);
    const isPartial = args[0] === "verify" && !(hasVerilator && hasIcarus);
    if (!isPartial) expect(shown).toBe(printed);
  });
});
