import {
  type EngineSegment,
  type Field,
  layOut,
  NetBuilder,
  type PipelineSegment,
  type Segment,
  type StreamElement,
  type Wire,
} from "../design/index.ts";
import {
  type Graph,
  getValue,
  inputsOf,
  type OpValue,
  primitiveOf,
  quantArgs,
  quantOf,
  type Registry,
  type Value,
  type ValueId,
} from "../ir/index.ts";
import { sizeOf } from "../tensor/index.ts";
import { type EnginePlan, planEngine } from "./engine.ts";
import { expandKernel } from "./expand.ts";
import { scheduleStages } from "./stages.ts";

export interface ChainOptions {
  readonly maxLevels: number;
  /** Cycles that a folded layer may take, by the value it makes. */
  readonly reuseOf: (value: OpValue) => number;
}

/**
 * Lays a quantized graph out as a chain: unrolled pipelines, and between them engines for the matrix
 * products that are folded. Whatever is needed later travels beside an engine, so the chain has one stream
 * and cannot deadlock.
 */
export function planChain(
  graph: Graph,
  ops: Registry,
  input: readonly StreamElement[],
  output: readonly StreamElement[],
  options: ChainOptions,
): Segment[] {
  return new ChainPlanner(graph, ops, input, output, options).plan();
}

class ChainPlanner {
  readonly #graph: Graph;
  readonly #ops: Registry;
  readonly #input: readonly StreamElement[];
  readonly #output: readonly StreamElement[];
  readonly #options: ChainOptions;
  readonly #segments: Segment[] = [];
  /** Position of the last operator that reads a value; outputs are read at the very end. */
  readonly #lastRead = new Map<ValueId, number>();

  #build = new NetBuilder();
  #wires = new Map<ValueId, readonly Wire[]>();
  #inputs: Field[] = [];
  #inputBits = 0;

  constructor(
    graph: Graph,
    ops: Registry,
    input: readonly StreamElement[],
    output: readonly StreamElement[],
    options: ChainOptions,
  ) {
    this.#graph = graph;
    this.#ops = ops;
    this.#input = input;
    this.#output = output;
    this.#options = options;
    [...graph.values.values()].forEach((value, at) => {
      if (value.kind === "op") for (const arg of value.args) this.#lastRead.set(arg, at);
    });
    for (const { value } of graph.outputs) this.#lastRead.set(value, Number.POSITIVE_INFINITY);
  }

  plan(): Segment[] {
    this.#start();
    [...this.#graph.values.values()].forEach((value, at) => {
      if (value.kind !== "op") return;
      const engine = planEngine(this.#graph, value, this.#ops, this.#options.reuseOf(value));
      if (engine === undefined) this.#unroll(value);
      else this.#fold(value, engine, at);
    });
    const wires = this.#graph.outputs.flatMap(({ value }) => this.#wiresOf(value));
    const fields = this.#output.map(({ offsetBits, containerBits, signed }) => ({
      offsetBits,
      widthBits: containerBits,
      signed,
    }));
    const last = this.#output.at(-1);
    this.#close(wires, fields, last === undefined ? 0 : last.offsetBits + last.containerBits);
    return this.#segments;
  }

  /** Reads the packet that comes in. */
  #start(): void {
    const values = inputsOf(this.#graph);
    this.#inputs = this.#input.map(({ offsetBits, widthBits, signed }) => ({
      offsetBits,
      widthBits,
      signed,
    }));
    const last = this.#input.at(-1);
    this.#inputBits = last === undefined ? 0 : last.offsetBits + last.containerBits;
    for (const value of values) {
      this.#build.from(value.origin);
      this.#wires.set(value.id, this.#inputWires(value));
    }
  }

  #inputWires(value: Value): Wire[] {
    const { ranges } = quantOf(value);
    return Array.from({ length: sizeOf(value.shape) }, (_, i) =>
      this.#build.input(ranges.lo(i), ranges.hi(i)),
    );
  }

  #wiresOf(id: ValueId): readonly Wire[] {
    const known = this.#wires.get(id);
    if (known !== undefined) return known;
    const value = getValue(this.#graph, id);
    if (value.kind !== "const") throw new Error(`value ${id} is not at hand`);
    const wires = Array.from(value.data.data, (code) => this.#build.constant(BigInt(code)));
    this.#wires.set(id, wires);
    return wires;
  }

  #unroll(value: OpValue): void {
    const op = primitiveOf(this.#ops, value.op);
    const kernel = op.kernel(quantArgs(this.#graph, value), value.attrs, quantOf(value));
    const args = value.args.map((id) => this.#wiresOf(id));
    this.#build.from(value.origin);
    this.#wires.set(value.id, expandKernel(this.#build, kernel, args, sizeOf(value.shape)));
  }

  #fold(value: OpValue, plan: EnginePlan, at: number): void {
    const { params, rows, k, n } = plan;
    const x = value.args[0];
    const travelling = [...this.#wires.keys()].filter(
      (id) => getValue(this.#graph, id).kind !== "const" && (this.#lastRead.get(id) ?? -1) > at,
    );
    const paddedK = params.K_STEPS * params.SIMD;
    const zero = this.#build.constant(0n);
    const source = this.#wiresOf(x);
    const operand = Array.from({ length: rows * paddedK }, (_, i) => {
      const column = i % paddedK;
      return column < k ? source[Math.floor(i / paddedK) * k + column] : zero;
    });
    const operandFields = operand.map((_, i) => ({
      offsetBits: i * params.X_W,
      widthBits: params.X_W,
      signed: params.X_SIGNED,
    }));
    const operandBits = operand.length * params.X_W;
    const passing = travelling.flatMap((id) => this.#wiresOf(id));
    const passed = passing.map((wire) => this.#build.cell(wire));
    const pass = layOut(passed);
    const shifted = pass.fields.map((field) => ({
      ...field,
      offsetBits: field.offsetBits + operandBits,
    }));
    this.#close([...operand, ...passing], [...operandFields, ...shifted], operandBits + pass.bits);

    const paddedN = params.N_STEPS * params.PE;
    const resultBits = rows * paddedN * params.ACC_W;
    const name = `s${this.#segments.length}`;
    const engine: EngineSegment = {
      kind: "engine",
      name,
      origin: plan.origin,
      params: {
        ...params,
        PASS_W: Math.max(1, pass.bits),
        WEIGHTS: `${name}_weights.hex`,
        BIAS: `${name}_bias.hex`,
      },
      weights: plan.weights,
      bias: plan.bias,
      passBits: pass.bits,
      inputBits: operandBits + pass.bits,
      outputBits: resultBits + pass.bits,
    };
    this.#segments.push(engine);

    this.#build = new NetBuilder();
    this.#wires = new Map();
    this.#build.from(value.origin);
    const { ranges } = quantOf(value);
    const results = Array.from({ length: rows * n }, (_, i) => {
      const spare = plan.twos[i % n];
      const wire = this.#build.input(ranges.lo(i) >> BigInt(spare), ranges.hi(i) >> BigInt(spare));
      return { wire, spare };
    });
    const resultFields = Array.from({ length: rows * n }, (_, i): Field => {
      const { signed, widthBits } = this.#build.cell(results[i].wire);
      const place = Math.floor(i / n) * paddedN + (i % n);
      return { offsetBits: place * params.ACC_W, widthBits, signed };
    });
    let next = 0;
    for (const id of travelling) {
      const other = getValue(this.#graph, id);
      this.#build.from(other.origin);
      // A wire's own interval may be narrower than the value's, and its field has just its bits.
      const cells = passed.slice(next, next + sizeOf(other.shape));
      this.#wires.set(
        id,
        cells.map(({ lo, hi }) => this.#build.input(lo, hi)),
      );
      next += cells.length;
    }
    const shiftedResults = results.map(({ wire, spare }) => this.#build.shiftLeft(wire, spare));
    this.#wires.set(value.id, shiftedResults);
    const passFields = pass.fields.map((field) => ({
      ...field,
      offsetBits: field.offsetBits + resultBits,
    }));
    this.#inputs = [...resultFields, ...passFields];
    this.#inputBits = engine.outputBits;
  }

  /** Ends the pipeline at hand; its outputs stand on a vector as the fields say. */
  #close(wires: readonly Wire[], outputs: readonly Field[], outputBits: number): void {
    const netlist = this.#build.netlist(wires);
    const timing = scheduleStages(netlist, this.#options.maxLevels, this.#segments.length === 0);
    const segment: PipelineSegment = {
      kind: "pipeline",
      name: `s${this.#segments.length}`,
      netlist,
      timing,
      inputs: this.#inputs,
      inputBits: this.#inputBits,
      outputs,
      outputBits,
    };
    this.#segments.push(segment);
  }
}
