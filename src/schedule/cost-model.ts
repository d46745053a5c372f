import { readFileSync } from "node:fs";
import type { Resources } from "../artifact/index.ts";
import { packagePath } from "../tools/index.ts";
import { Formulas, type Scope } from "./formula.ts";

type Kind = keyof Resources;
/** Names of definitions and their texts. */
type Definitions = Readonly<Record<string, string>>;
/** `where` names parts of the formulas, each from the variables and the names before it. */
type Costs = Partial<Record<Kind, string>> & { readonly where?: Definitions };

/** `hw/cost/*.json`: what things cost, as formulas of their sizes. */
interface CostFile {
  /** `"f(a, b)": "a + b"`; a function may use those before it. */
  readonly functions: Definitions;
  readonly nets: Readonly<Record<string, Costs>>;
  readonly engine: Costs;
  /** Modules of the library, by name. */
  readonly modules: Readonly<Record<string, Costs>>;
}

export const resourceKinds = ["lut", "ff", "dsp", "bram36"] as const satisfies Kind[];

/** Evaluates formulas; equal questions are asked once. */
export class CostModel {
  readonly #file: CostFile;
  readonly #formulas: Formulas;
  readonly #known = new Map<string, Resources>();

  constructor() {
    this.#file = JSON.parse(
      readFileSync(packagePath("hw", "cost", "xilinx.json"), "utf8"),
    ) as CostFile;
    this.#formulas = new Formulas(this.#file.functions);
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

  #evaluate(name: string, costs: Costs, scope: Scope): Resources {
    const key = `${name}|${Object.entries(scope).join()}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const names: Record<string, number> = { ...scope };
    for (const [part, formula] of Object.entries(costs.where ?? {}))
      names[part] = this.#formulas.read(formula)(names);
    const value = (kind: Kind) => {
      const formula = costs[kind];
      return formula === undefined ? 0 : this.#formulas.read(formula)(names);
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
}
