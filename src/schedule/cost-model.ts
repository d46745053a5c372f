import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { MathJsInstance } from "mathjs";
import type { Resources } from "../artifact/index.ts";
import { packagePath } from "../tools/index.ts";

type Kind = keyof Resources;
/** Values of a formula's variables. */
export type Scope = Readonly<Record<string, number>>;
/** Names of definitions and their texts. */
type Definitions = Readonly<Record<string, string>>;
/** `where` names parts of the formulas, each from the variables and the names before it. */
type Formulas = Partial<Record<Kind, string>> & { readonly where?: Definitions };

/** `hw/cost/*.json`: what things cost, as formulas of their sizes. */
interface CostFile {
  /** `"f(a, b)": "a + b"`; a function may use those before it. */
  readonly functions: Definitions;
  readonly nets: Readonly<Record<string, Formulas>>;
  readonly engine: Formulas;
  /** Modules of the library, by name. */
  readonly modules: Readonly<Record<string, Formulas>>;
}

export const resourceKinds = ["lut", "ff", "dsp", "bram36"] as const satisfies Kind[];

/** Evaluates formulas; equal questions are asked once. */
export class CostModel {
  readonly #file: CostFile;
  readonly #math: MathJsInstance;
  readonly #compiled = new Map<string, { evaluate(scope: object): number }>();
  readonly #known = new Map<string, Resources>();
  readonly #functions: Readonly<Record<string, unknown>>;

  constructor() {
    this.#file = JSON.parse(
      readFileSync(packagePath("hw", "cost", "xilinx.json"), "utf8"),
    ) as CostFile;
    // The bundled build loads in a quarter of the time of the many files of the package's main entry.
    this.#math = createRequire(import.meta.url)("mathjs/lib/browser/math.js") as MathJsInstance;
    const functions = {};
    for (const [head, body] of Object.entries(this.#file.functions))
      this.#compile(`${head} = ${body}`).evaluate(functions);
    this.#functions = functions;
  }

  net(name: string, scope: Scope): Resources {
    return this.#evaluate(name, this.#file.nets[name] ?? {}, scope);
  }

  engine(scope: Scope): Resources {
    return this.#evaluate("engine", this.#file.engine, scope);
  }

  /** Nothing is known of the cost of modules without a formula, and they count as wires. */
  module(name: string, scope: Scope): Resources {
    return this.#evaluate(name, this.#file.modules[name] ?? {}, scope);
  }

  #evaluate(name: string, formulas: Formulas, scope: Scope): Resources {
    const key = `${name}|${Object.values(scope).join(",")}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const names: Record<string, unknown> = { ...this.#functions, ...scope };
    for (const [part, formula] of Object.entries(formulas.where ?? {}))
      names[part] = this.#compile(formula).evaluate(names);
    const value = (kind: Kind) => {
      const formula = formulas[kind];
      return formula === undefined ? 0 : Number(this.#compile(formula).evaluate(names));
    };
    const result = {
      lut: value("lut"),
      ff: value("ff"),
      dsp: value("dsp"),
      bram36: value("bram36"),
    };
    this.#known.set(key, result);
    return result;
  }

  #compile(formula: string) {
    let compiled = this.#compiled.get(formula);
    if (compiled === undefined) {
      compiled = this.#math.compile(formula);
      this.#compiled.set(formula, compiled);
    }
    return compiled;
  }
}
