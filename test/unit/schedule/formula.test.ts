import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { MathJsInstance } from "mathjs";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/base/index.ts";
import { Formulas } from "../../../src/schedule/formula.ts";

const math = createRequire(import.meta.url)("mathjs/lib/browser/math.js") as MathJsInstance;

type Texts = Readonly<Record<string, string>>;
interface CostFile {
  readonly functions: Texts;
  readonly nets: Readonly<Record<string, Texts>>;
  readonly engine: Texts;
  readonly modules: Readonly<Record<string, Texts & { readonly where?: Texts }>>;
}

describe("formulas", () => {
  const file = JSON.parse(readFileSync("hw/cost/xilinx.json", "utf8")) as CostFile;
  const all = { ...file.nets, engine: file.engine, ...file.modules };

  it.each(Object.entries(all))("of %s mean what they mean to mathjs", (_, { where, ...costs }) => {
    const formulas = new Formulas(file.functions);
    const functions: Record<string, unknown> = {};
    for (const [head, body] of Object.entries(file.functions))
      math.evaluate(`${head} = ${body}`, functions);
    const texts = [...Object.entries(where ?? {}), ...Object.entries(costs)];
    const compiled = texts.map(([name, text]) => [name, text, math.compile(text)] as const);
    const variables = new Set(texts.flatMap(([, text]) => text.match(/\b[A-Za-z]\w*\b(?!\()/g)));
    const random = new Random(1);
    let compared = 0;
    for (let turn = 0; turn < 100; turn++) {
      const scope: Record<string, number> = {};
      for (const name of variables) scope[name as string] = 1 + random.below(turn < 20 ? 3 : 40);
      const theirs: Record<string, unknown> = { ...functions, ...scope };
      for (const [name, text, code] of compiled) {
        const value = code.evaluate(theirs);
        if (Number.isNaN(Number(value))) break; // complex: no module has such parameters
        theirs[name] = value;
        scope[name] = formulas.read(text)(scope);
        expect(scope[name], `${name}: ${text}`).toBe(Number(value));
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(50);
  });

  it("are refused with what they lack", () => {
    const formulas = new Formulas({ "twice(a)": "2 * a" });
    expect(formulas.read("twice(3) + (x > 2 and x < 4 ? 1 : 0)")({ x: 3 })).toBe(7);
    expect(() => formulas.read("x + y")({ x: 1 })).toThrow("a formula uses y, which has no value");
    expect(() => formulas.read("thrice(3)")).toThrow("no such function: thrice(3)");
    expect(() => formulas.read("[1, 2]")).toThrow("no ArrayNode: [1, 2]");
    expect(() => formulas.read("x!")).toThrow("no factorial: x!");
  });
});
