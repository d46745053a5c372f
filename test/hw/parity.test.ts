import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { type HardwareModule, library } from "../../src/hwlib/index.ts";
import { hardwareFolder, rtlFiles, run, temporaryFolder, tools } from "../support/hw.ts";

const modules = [...library.values()];
const rtl = join(hardwareFolder, "rtl");

/** A module as Verilator reads it. */
interface ReadModule {
  parameters: Record<string, string>;
  inputs: string[];
  outputs: string[];
  uses: string[];
}

/** What Verilator's XML says of the top module; its types are `int`, `bit`, or text for the rest. */
function readModule(folder: string, module: HardwareModule): ReadModule {
  run(folder, "verilator", [
    "--xml-only",
    ...["--xml-output", "module.xml", "--top-module", module.name],
    ...rtlFiles(module),
  ]);
  const xml = readFileSync(join(folder, "module.xml"), "utf8");
  const body = xml.match(new RegExp(`<module [^>]*name="${module.name}"[^]*?</module>`))?.[0] ?? "";
  const read: ReadModule = { parameters: {}, inputs: [], outputs: [], uses: [] };
  // From the text, because a default of a parameter may leave a part out.
  const text = readFileSync(join(rtl, module.file), "utf8");
  read.uses = [...new Set([...text.matchAll(/^ +(n2f_\w+) #\($/gm)].map(([, name]) => name))];
  // Variables of functions also have directions; those of the module have a pin.
  for (const [tag] of body.matchAll(/<var [^>]*>/g)) {
    const name = attribute(tag, "name");
    if (attribute(tag, "param") === "true") {
      const type = attribute(tag, "vartype");
      const untyped = text.includes(`parameter signed ${name} `) ? "code" : "string";
      read.parameters[name] = type === "logic" ? untyped : type;
    }
    if (attribute(tag, "pinIndex") !== "") {
      (attribute(tag, "dir") === "input" ? read.inputs : read.outputs).push(name);
    }
  }
  return read;
}

function attribute(tag: string, name: string): string {
  return tag.match(new RegExp(` ${name}="([^"]*)"`))?.[1] ?? "";
}

describe.skipIf(!tools.verilator)("twins and modules", () => {
  const folder = temporaryFolder();

  it.each(modules.map((module) => [module.name, module] as const))(
    "%s has the parameters, ports and parts that its twin says",
    (_, module) => {
      const read = readModule(folder.path, module);
      expect(read.parameters).toEqual(
        Object.fromEntries(Object.entries(module.parameters).map(([key, { type }]) => [key, type])),
      );
      expect(read.inputs.sort()).toEqual(Object.keys(module.ports.inputs).sort());
      expect(read.outputs.sort()).toEqual(Object.keys(module.ports.outputs).sort());
      expect(read.uses.sort()).toEqual([...module.uses].sort());
    },
  );
});

describe("files of hw/rtl", () => {
  const files = readdirSync(rtl, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(rtl, join(entry.parentPath, entry.name)));

  it("each have a twin, and each twin a file", () => {
    expect(files.sort()).toEqual(modules.map((module) => module.file).sort());
  });

  it("are named after their module and say who the twin is", () => {
    for (const module of modules) {
      const text = readFileSync(join(rtl, module.file), "utf8");
      expect(module.file).toMatch(new RegExp(`(^|/)${module.name}\\.sv$`));
      expect(text.startsWith(`// ${module.name} - `)).toBe(true);
      const twin = `src/hwlib/${module.name.replace(/^n2f_/, "").replaceAll("_", "-")}.ts`;
      expect(text).toMatch(new RegExp(`^// Twin .*${twin}`, "m"));
      expect(text).toContain("\n`default_nettype none\n");
      expect(text.endsWith("\n`default_nettype wire\n")).toBe(true);
    }
  });

  it("each have a row in hw/README.md, and each row a file", () => {
    const readme = readFileSync(join(hardwareFolder, "README.md"), "utf8");
    const rows = [...readme.matchAll(/^\| `([\w/]+\.sv)` /gm)].map(([, file]) => file);
    expect(rows.sort()).toEqual(modules.map((module) => module.file).sort());
  });
});
