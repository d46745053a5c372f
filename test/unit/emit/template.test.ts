import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Handlebars from "handlebars";
import { describe, expect, it } from "vitest";
import { guard, renderTemplate } from "../../../src/emit/template.ts";
import { packagePath } from "../../../src/tools/index.ts";

/** A template from text, compiled as those from files are. */
function render(text: string, view: object): string {
  const options = { strict: true, noEscape: true, knownHelpersOnly: true };
  return Handlebars.compile(text, options)(guard(view, "view"));
}

describe("guard", () => {
  it("lets text, flags, lists and views through, unescaped", () => {
    const view = { text: "a<b>&", yes: true, list: ["x", "y"], inner: { name: "n" }, none: [] };
    expect(
      render(
        "{{text}} {{#if yes}}1{{/if}}{{#each list}}{{this}}{{#unless @last}},{{/unless}}{{/each}} {{inner.name}}{{#each none}}!{{/each}}",
        view,
      ),
    ).toBe("a<b>& 1x,y n");
  });

  it.each([
    "{{gone}}",
    "{{#if gone}}x{{/if}}",
    "{{#each gone}}x{{/each}}",
    "{{#unless gone}}x{{/unless}}",
  ])("refuses %s where the view does not have it", (text) => {
    expect(() => render(text, { there: "x" })).toThrow(/gone/);
  });

  it("names the way to what is missing inside views and lists", () => {
    const view = { rows: [{ cells: { a: "1" } }] };
    expect(() => render("{{#each rows}}{{#if cells.b}}{{/if}}{{/each}}", view)).toThrow(
      /view\.rows\.0\.cells\.b/,
    );
  });

  it.each([
    ["a number", 3],
    ["zero", 0],
    ["a BigInt", 3n],
    ["null", null],
    ["undefined", undefined],
    ["NaN", Number.NaN],
  ])("refuses %s: it must be formatted first", (_, value) => {
    for (const text of ["{{value}}", "{{#if value}}x{{/if}}"]) {
      expect(() => render(text, { value })).toThrow(
        /view\.value is .*text, flags, lists and views/,
      );
    }
    expect(() => render("{{#each list}}{{this}}{{/each}}", { list: [value] })).toThrow(
      /view\.list\.0/,
    );
  });

  it("has no helpers but the few of Handlebars itself", () => {
    expect(() => render("{{shout text}}", { text: "x" })).toThrow(/shout/);
  });
});

describe("templates", () => {
  const all = readdirSync(packagePath("templates"), { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".hbs"),
  );

  it("are there", () => {
    expect(all).toContain("sim/main.cpp.hbs");
  });

  it.each(all)("%s names the type of its view, which is where it says", (name) => {
    const [first] = readFileSync(packagePath("templates", name), "utf8").split("\n");
    const [, type, file] = /^\{\{!-- view: (\w+), (src\/\S+\.ts) --\}\}$/.exec(first) ?? [];
    expect(type, first).toBeDefined();
    expect(readFileSync(packagePath(...file.split("/")), "utf8")).toContain(`interface ${type} `);
  });

  it.each(all)("%s refuses a view of another kind", (name) => {
    expect(() => renderTemplate(name, { nothing: "of use" })).toThrow(`templates/${name}: `);
  });

  it("come out the same from the same view", () => {
    const view = {
      network: "net",
      generator: "test",
      top: "net_top",
      ...{ inputBeats: "1", inputBytes: "4", inputBits: "32" },
      ...{ outputBeats: "2", outputBytes: "3", outputBits: "24" },
    };
    for (const name of ["main.cpp.hbs", "icarus_tb.sv.hbs"]) {
      const text = renderTemplate(join("sim", name), view);
      expect(renderTemplate(join("sim", name), { ...view })).toBe(text);
      expect(text).not.toMatch(/\{\{|undefined|\[object/);
      expect(text.startsWith("// ")).toBe(true);
    }
  });
});
