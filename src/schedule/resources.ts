import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { MathJsInstance } from "mathjs";
import type { Resources } from "../artifact/index.ts";
import {
  addressBits,
  type Cell,
  type Design,
  type EngineSegment,
  isRegistered,
  type PipelineSegment,
  readsOf,
} from "../design/index.ts";
import { packagePath } from "../tools/index.ts";
import { registerBits } from "./stages.ts";

type Kind = keyof Resources;
type Scope = Readonly<Record<string, number>>;
type Formulas = Partial<Record<Kind, string>>;

/** `hw/cost/*.json`: what things cost, as formulas of their sizes. */
interface CostFile {
  readonly nets: Readonly<Record<string, Formulas>>;
  readonly engine: Formulas;
}

const kinds = ["lut", "ff", "dsp", "bram36"] as const satisfies Kind[];

/** Evaluates formulas; equal questions are asked once. */
class CostModel {
  readonly #file: CostFile;
  readonly #math: MathJsInstance;
  readonly #compiled = new Map<string, { evaluate(scope: object): number }>();
  readonly #known = new Map<string, Resources>();

  constructor() {
    this.#file = JSON.parse(
      readFileSync(packagePath("hw", "cost", "xilinx.json"), "utf8"),
    ) as CostFile;
    // The bundled build loads in a quarter of the time of the many files of the package's main entry.
    this.#math = createRequire(import.meta.url)("mathjs/lib/browser/math.js") as MathJsInstance;
  }

  net(name: string, scope: Scope): Resources {
    return this.#evaluate(name, this.#file.nets[name] ?? {}, scope);
  }

  engine(scope: Scope): Resources {
    return this.#evaluate("engine", this.#file.engine, scope);
  }

  #evaluate(name: string, formulas: Formulas, scope: Scope): Resources {
    const key = `${name}|${Object.values(scope).join(",")}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const value = (kind: Kind) => {
      const formula = formulas[kind];
      return formula === undefined ? 0 : this.#compile(formula).evaluate({ ...scope });
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

/** What a design takes of an UltraScale+ device, rounded up. Checked against Yosys in docs/resources.md. */
export function estimateResources(design: Design): Resources {
  const model = new CostModel();
  const total = { lut: 0, ff: 0, dsp: 0, bram36: 0 };
  const add = (cost: Resources) => {
    for (const kind of kinds) total[kind] += cost[kind];
  };
  for (const segment of design.segments) {
    if (segment.kind === "engine") add(engineCost(model, segment));
    else addPipeline(model, segment, add);
  }
  add(streamCost(design));
  const { lut, ff, dsp, bram36 } = total;
  return {
    lut: Math.ceil(lut),
    ff: Math.ceil(ff),
    dsp: Math.ceil(dsp),
    bram36: Math.ceil(bram36 * 2) / 2,
  };
}

function addPipeline(
  model: CostModel,
  { netlist, timing }: PipelineSegment,
  add: (cost: Resources) => void,
): void {
  for (const cell of netlist.cells) {
    const { net } = cell;
    if (net.kind === "input" || net.kind === "const" || net.kind === "shift_left") continue;
    const name = net.kind === "table" && isRegistered(net) ? "rom" : net.kind;
    add(model.net(name, netScope(cell, netlist.cells)));
  }
  const valid = timing.depth;
  add({ lut: valid > 0 ? 1 : 0, ff: registerBits(netlist, timing) + valid, dsp: 0, bram36: 0 });
}

function netScope({ net, widthBits }: Cell, cells: readonly Cell[]): Scope {
  const [a = 0, b = 0] = readsOf(net).map((wire) => cells[wire].widthBits);
  const scope = { width: widthBits, a, b, carry: 0, dropped: 0, rounds: 0, limits: 0, address: 0 };
  switch (net.kind) {
    case "add": {
      // Low bits pass by where only one operand has them, unless it is the one that is taken away.
      const passing = net.shiftB > 0 ? net.shiftB : net.subtract ? 0 : net.shiftA;
      return { ...scope, carry: Math.max(1, widthBits - passing) };
    }
    case "requantize":
      return {
        ...scope,
        dropped: Math.max(0, net.shift),
        rounds: net.rounding === "TRN" || net.shift <= 0 ? 0 : 1,
        limits: net.overflow === "WRAP" ? 0 : 1,
      };
    case "clamp":
      return { ...scope, limits: net.hi < cells[net.a].hi ? 1 : 0 };
    case "table":
      return { ...scope, address: addressBits(net.values.length) };
    default:
      return scope;
  }
}

function engineCost(
  model: CostModel,
  { params, inputBits, outputBits, passBits }: EngineSegment,
): Resources {
  return model.engine({
    multipliers: params.PE * params.SIMD,
    lanes: params.PE,
    simd: params.SIMD,
    depth: params.K_STEPS * params.N_STEPS,
    word: params.PE * params.SIMD * params.W_W,
    operand: inputBits - passBits,
    result: outputBits - passBits,
    pass: passBits,
    acc: params.ACC_W,
    x: params.X_W,
    w: params.W_W,
  });
}

/** The registers of packets of several beats. */
function streamCost({ input, output }: Design): Resources {
  const bits = ({ beats, beatBytes }: Design["input"]) =>
    beats > 1 ? (beats - 1) * beatBytes * 8 : 0;
  const outBits = output.beats > 1 ? output.beats * output.beatBytes * 8 : 0;
  return { lut: outBits, ff: bits(input) + outBits, dsp: 0, bram36: 0 };
}
