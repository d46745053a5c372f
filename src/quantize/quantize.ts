import { fail, Nn2fpgaError, type Problem } from "../base/index.ts";
import {
  type CodeScale,
  codeToReal,
  defaultOverflow,
  defaultRounding,
  type Format,
  formatText,
  makeFormat,
  maxCode,
  minCode,
  type Precision,
} from "../fixed/index.ts";
import {
  type Attrs,
  Builder,
  type ConstValue,
  type Graph,
  getValue,
  type InputValue,
  isExact,
  isProduct,
  type OpValue,
  originText,
  type PrimitiveOp,
  placeProblems,
  primitiveOf,
  type Quant,
  type QuantArg,
  quantOf,
  Ranges,
  type Registry,
  type Value,
  type ValueId,
  type WeightMatrices,
  weightMatrices,
} from "../ir/index.ts";
import { type PrecisionAttrs, precisionAttrs, readPrecision } from "../ops/index.ts";
import { type DType, makeTensor } from "../tensor/index.ts";
import { calibratedPrecision, formatForRange } from "./choose-format.ts";
import type { ChosenFormat } from "./chosen-format.ts";
import type { PrecisionRequest, QuantizeOptions } from "./config.ts";
import {
  columnSpread,
  exactConstant,
  packConstant,
  type QuantizedConstant,
  quantizeColumns,
  quantizeConstant,
  twosOfColumns,
} from "./constants.ts";
import { hostRule, integerOutput } from "./integer-ports.ts";
import { tieSteps } from "./loops.ts";
import type { Statistics } from "./statistics.ts";
import { type Section, sections } from "./steep.ts";

/** Everything that is decided once a graph is quantized. Inputs carry the rule by which hosts round. */
export interface QuantizedGraph {
  readonly graph: Graph;
  readonly inputs: ReadonlyMap<ValueId, Precision>;
  /** How the integers of an input are numbers to the user, where a quantized model says it. */
  readonly inputScales: ReadonlyMap<ValueId, CodeScale>;
  /** The same for outputs, by name. */
  readonly outputScales: ReadonlyMap<string, CodeScale>;
  /** What neither the model nor the user gives a format. */
  readonly chosen: readonly ChosenFormat[];
}

/**
 * Decides every bit: gives each value a format and a proven interval of codes.
 *
 * Values stay exact until something needs them narrow: a product, a table, an output, or the user's wish.
 * There a `requantize` is put, once for all who need it. Constants take the weight's precision; what is
 * added takes the binary point of what it is added to.
 *
 * @throws N2F_CONFIG_INVALID where the options name layers that are not there
 */
export function quantizeGraph(
  graph: Graph,
  ops: Registry,
  statistics: Statistics,
  options: QuantizeOptions,
): QuantizedGraph {
  checkLayers(graph, options);
  checkConstants(graph);
  const tied = tieSteps(graph, statistics);
  const first = new Quantizer(graph, ops, tied, options);
  const quantized = first.run();
  // What the states of loops are proven to reach is known only behind their steps.
  return first.bounds.size === 0
    ? quantized
    : new Quantizer(graph, ops, tied, options, first.bounds).run();
}

/** Names by which the options may speak of a value: its node's and its own. */
function layerNames(value: Value): readonly string[] {
  return [value.origin.node, value.id];
}

function checkLayers(graph: Graph, options: QuantizeOptions): void {
  const known = new Set([...graph.values.values()].flatMap(layerNames));
  const unknown = [...options.layers.keys()].filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  const layers = [...graph.values.values()].filter((value) => value.kind === "op");
  fail(
    "N2F_CONFIG_INVALID",
    `the configuration names layers that the model does not have: ${unknown.join(", ")}`,
    {
      hint: `The layers are ${[...new Set(layers.map((value) => value.origin.node))].join(", ")}.`,
    },
  );
}

/** Greatest constant that is taken for a number: beyond it codes would leave what a double holds. */
const greatestConstant = 2 ** 100;

/** Codes have no infinity, and nothing to stand for what is no number. */
function checkConstants(graph: Graph): void {
  const problems = [...graph.values.values()].flatMap((value): Problem[] => {
    if (value.kind !== "const") return [];
    const wrong = value.data.data.find((x) => !(Math.abs(x) <= greatestConstant));
    if (wrong === undefined) return [];
    return [
      {
        code: "N2F_OP_UNSUPPORTED",
        message: `the constant ${value.id} has ${wrong} in it`,
        at: originText(value.origin),
        hint: "Fixed-point numbers are finite: put a number that the network can meet in its place, -1e4 for a mask of -inf, say.",
      },
    ];
  });
  if (problems.length > 0) throw new Nn2fpgaError(problems);
}

class Quantizer {
  readonly #graph: Graph;
  readonly #ops: Registry;
  readonly #statistics: Statistics;
  readonly #options: QuantizeOptions;
  readonly #build: Builder;
  readonly #inputs = new Map<ValueId, Precision>();
  readonly #inputScales = new Map<ValueId, CodeScale>();
  readonly #outputScales = new Map<string, CodeScale>();
  /** Quantizations that the host does: their result is the input itself. */
  readonly #hostDone = new Set<ValueId>();
  /** The exact (or requested) value that stands for each value of the float graph. */
  readonly #exact = new Map<ValueId, ValueId>();
  /** Requantized variants by value and format, so that all who need one share it. */
  readonly #narrowed = new Map<string, ValueId>();
  readonly #chosen = new Map<ValueId, ChosenFormat>();
  /** Where the states of loops are proven to lie before they are narrowed, and where a run before this one proved it. */
  readonly bounds = new Map<string, readonly [number, number]>();
  readonly #known: ReadonlyMap<string, readonly [number, number]>;
  /** An operator asks for its weights more than once. */
  #lastWeight: { value: OpValue; constant: ConstValue; quantized: QuantizedConstant } | undefined;

  constructor(
    graph: Graph,
    ops: Registry,
    statistics: Statistics,
    options: QuantizeOptions,
    known: ReadonlyMap<string, readonly [number, number]> = new Map(),
  ) {
    this.#known = known;
    this.#graph = graph;
    this.#ops = ops;
    this.#statistics = statistics;
    this.#options = options;
    this.#build = new Builder(ops);
  }

  run(): QuantizedGraph {
    for (const value of this.#graph.values.values()) {
      this.#build.from(value.origin);
      if (value.kind === "input") this.#input(value);
      else if (value.kind === "op") placeProblems(value.origin, () => this.#op(value));
    }
    const outputs = this.#graph.outputs.map(({ name, value }) => {
      const scaled = integerOutput(this.#graph, value);
      if (scaled !== undefined) {
        this.#outputScales.set(name, scaled.scale);
        return { name, value: this.#value(scaled.value) };
      }
      const request = this.#options.output ?? defaultOutput(this.#options.default);
      const { origin } = getValue(this.#graph, value);
      const narrow = placeProblems(origin, () => this.#narrow(value, request, true));
      return { name, value: narrow };
    });
    const graph = this.#build.graph(this.#graph.name, outputs);
    return {
      graph,
      inputs: this.#inputs,
      inputScales: this.#inputScales,
      outputScales: this.#outputScales,
      chosen: [...this.#chosen.values()].filter(({ value }) => graph.values.has(value)),
    };
  }

  /** Notes a value whose format is chosen here, and what of the model it stands for. */
  #choose(
    value: ValueId,
    { origin }: Value,
    request: PrecisionRequest,
    of: ChosenFormat["of"],
  ): ValueId {
    if (request.kind === "width") {
      this.#chosen.set(value, { value, origin, widthBits: request.widthBits, of });
    }
    return value;
  }

  #input(value: InputValue): void {
    const { id, shape, dtype } = value;
    const rule = hostRule(this.#graph, value);
    if (rule !== undefined) {
      const { precision, scale, readers } = rule;
      this.#inputs.set(id, precision);
      if (scale !== undefined) this.#inputScales.set(id, scale);
      for (const reader of readers) this.#hostDone.add(reader);
      // Every code of the format, for clients may send codes that no host's rule gives.
      const quant = { format: precision.format, ranges: Ranges.ofFormat(precision.format) };
      this.#exact.set(id, this.#build.input(id, { shape, dtype: "int" }, quant));
      return;
    }
    const layer = this.#layer(value)?.result;
    const request = layer ?? this.#options.input ?? this.#options.default;
    if (request.kind === "exact") {
      fail("N2F_CONFIG_INVALID", `input ${id} has no exact format of its own`, {
        hint: "Give a format such as fixed<16,6> for the inputs, or only a width.",
      });
    }
    this.#choose(id, value, request, "input");
    const precision = withoutFraction(value.dtype, this.#precision(id, request));
    this.#inputs.set(id, precision);
    const quant = { format: precision.format, ranges: Ranges.ofFormat(precision.format) };
    this.#exact.set(id, this.#build.input(id, { shape, dtype }, quant));
  }

  #op(value: OpValue): void {
    if (this.#hostDone.has(value.id)) {
      this.#exact.set(value.id, this.#value(value.args[0]));
      return;
    }
    const op = primitiveOf(this.#ops, value.op);
    if (op.isState) {
      this.#exact.set(value.id, this.#state(value, op));
      return;
    }
    const attrs = op.lossy
      ? { ...value.attrs, ...precisionAttrs(this.#result(value)) }
      : value.attrs;
    const parts = op.isSteep ? this.#sections(value, op) : [];
    const id =
      parts.length > 0
        ? this.#sumOfSections(op, { ...value, attrs }, parts)
        : this.#applyInWord(op, { ...value, attrs });
    this.#exact.set(value.id, id);
    const wish = this.#layer(value)?.result;
    if (wish !== undefined && wish.kind !== "exact" && !op.lossy) {
      const made = this.#requantize(id, this.#precision(value.id, wish));
      this.#exact.set(value.id, this.#choose(made, value, wish, "value"));
    }
  }

  /** What a step of a loop begins with: in one format in all steps, whatever is proven of it in some of them. */
  #state(value: OpValue, op: PrimitiveOp): ValueId {
    const request = this.#layer(value)?.result ?? this.#options.default;
    const arg = getValue(this.#graph, value.args[0]);
    if (request.kind === "exact") {
      const id = arg.kind === "const" ? this.#weight(value, arg) : this.#value(arg.id);
      return this.#apply(op, [id], value);
    }
    const key = `${value.attrs["loop"]} ${value.attrs["port"]}`;
    const precision = this.#precision(value.id, request, this.#known.get(key));
    if (arg.kind === "const") {
      for (const x of arg.data.data) this.#reaches(key, x, x);
      const { format } = precision;
      const [least, most] = [Number(minCode(format)), Number(maxCode(format))];
      const codes = arg.data.data.map((x) =>
        Math.max(least, Math.min(most, Math.floor(x * 2 ** format.frac + 0.5))),
      );
      const quant = { format, ranges: Ranges.ofFormat(format) };
      return this.#apply(op, [this.#constant(arg, { ...arg.data, data: codes }, quant)], value);
    }
    const id = this.#value(arg.id);
    const { format, ranges } = quantOf(this.#build.value(id));
    const [lo, hi] = ranges.hull().map((code) => codeToReal(code, format));
    this.#reaches(key, lo, hi);
    const isSame = formatText(format) === formatText(precision.format);
    const narrow = isSame
      ? id
      : this.#choose(this.#requantize(id, precision), arg, request, "value");
    return this.#apply(op, [narrow], value);
  }

  #reaches(state: string, lo: number, hi: number): void {
    const [least, most] = this.bounds.get(state) ?? [lo, hi];
    this.bounds.set(state, [Math.min(lo, least), Math.max(hi, most)]);
  }

  /**
   * Applies an operator to its arguments as they are, or narrowed where the exact result would not fit a
   * word: a sum of a large number and of one with many bits below the point.
   */
  #applyInWord(op: PrimitiveOp, value: OpValue): ValueId {
    const args = this.#args(value, op);
    try {
      return this.#apply(op, op.alignPoints ? this.#align(args) : args, value);
    } catch (error) {
      const isTooWide =
        error instanceof Nn2fpgaError &&
        error.problems.every(({ code }) => code === "N2F_FORMAT_RANGE");
      const request = this.#options.default;
      if (!isTooWide || request.kind === "exact") throw error;
      // Bits far below the result's own point say nothing.
      const finest = this.#precision(value.id, request).format.frac + 4;
      const narrowed = value.args.map((arg, i) => {
        if (getValue(this.#graph, arg).kind === "const") return args[i];
        const precision = this.#precision(arg, request);
        const { format } = precision;
        const made = this.#requantize(
          this.#value(arg),
          format.frac > finest ? { ...precision, format: coarser(format, finest) } : precision,
        );
        return this.#choose(made, getValue(this.#graph, arg), request, "value");
      });
      const fitting = op.alignPoints ? this.#align(narrowed) : this.#biasAgain(value, narrowed);
      return this.#apply(op, fitting, value);
    }
  }

  /** A product's arguments with the bias brought to the point that their products have by now. */
  #biasAgain(value: OpValue, args: readonly ValueId[]): readonly ValueId[] {
    const bias = isProduct(value.op) ? value.args[2] : undefined;
    const constant = bias === undefined ? undefined : getValue(this.#graph, bias);
    if (constant?.kind !== "const") return args;
    const point = this.#format(args[0]).frac + this.#format(args[1]).frac;
    return args.with(2, this.#addend(value, constant, point));
  }

  /** The arguments as the operator wants them, narrowed or as an index of a table; not yet at one binary point. */
  #args(value: OpValue, op: PrimitiveOp): ValueId[] {
    const types = value.args.map((arg) => getValue(this.#graph, arg));
    const narrow = op.narrow(types, value.attrs);
    const varying = value.args.map((arg, i) => {
      if (types[i].kind === "const") return undefined;
      if (op.indexDomain !== undefined) return this.#index(arg, op.indexDomain(value.attrs));
      // A product with numbers that are taken as they are costs adders, not multipliers: it stays exact.
      const isScaled = value.op === "mul" && types.some(isWhole);
      return narrow[i] && !isScaled
        ? this.#narrow(arg, this.#options.default, false)
        : this.#value(arg);
    });
    const points = varying.flatMap((id) => (id === undefined ? [] : [this.#format(id).frac]));
    const productPoint = points.length === 1 && narrow[0] ? undefined : Math.max(...points);
    return varying.map((id, i) => {
      if (id !== undefined) return id;
      const constant = types[i] as ConstValue;
      const isBias = isProduct(value.op) && i === 2;
      if (isBias) return this.#addend(value, constant, this.#accumulatorPoint(value, varying));
      return narrow[i] || points.length === 0
        ? this.#weight(value, constant)
        : this.#addend(value, constant, productPoint ?? points[0]);
    });
  }

  /** Binary point of a matrix product's accumulator: that of x and that of the weights together. */
  #accumulatorPoint(value: OpValue, varying: readonly (ValueId | undefined)[]): number {
    const [x, w] = value.args.slice(0, 2).map((arg, i) => {
      const id = varying[i];
      if (id !== undefined) return this.#format(id).frac;
      return this.#quantizeWeight(value, getValue(this.#graph, arg) as ConstValue).quant.format
        .frac;
    });
    return x + w;
  }

  /** Brings all to the finest binary point among them, which costs no bits of information. */
  #align(ids: readonly ValueId[]): ValueId[] {
    const frac = Math.max(...ids.map((id) => this.#format(id).frac));
    return ids.map((id) => {
      const format = this.#format(id);
      const gain = frac - format.frac;
      if (gain === 0) return id;
      const finer = makeFormat(format.signed, format.width + gain, frac);
      return this.#requantize(id, {
        format: finer,
        rounding: defaultRounding,
        overflow: defaultOverflow,
      });
    });
  }

  #weight(value: OpValue, constant: ConstValue): ValueId {
    const { codes, quant } = this.#quantizeWeight(value, constant);
    const made = this.#constant(constant, codes, quant);
    const request = this.#layer(value)?.weight ?? this.#options.default;
    return isWhole(constant) ? made : this.#choose(made, value, request, "weights");
  }

  #quantizeWeight(value: OpValue, constant: ConstValue): QuantizedConstant {
    if (isWhole(constant)) return exactConstant(constant.data);
    const last = this.#lastWeight;
    if (last?.value === value && last.constant === constant) return last.quantized;
    const request = this.#layer(value)?.weight ?? this.#options.default;
    const matrices = weightMatrices(value.op, constant.shape);
    const quantized =
      matrices !== undefined && request.kind === "width"
        ? quantizeColumns(
            constant.data,
            matrices,
            request.widthBits,
            this.#spread(matrices, request),
          )
        : quantizeConstant(constant.data, constantPrecision(constant.data.data, request));
    this.#lastWeight = { value, constant, quantized };
    return quantized;
  }

  /** Bits that are left for the points of columns to differ, so that the sums keep to 64. */
  #spread({ rows }: WeightMatrices, { widthBits }: { readonly widthBits: number }): number {
    const { default: values } = this.#options;
    const valueBits = values.kind === "width" ? values.widthBits : widthBits;
    const spare = 63 - valueBits - widthBits - Math.ceil(Math.log2(rows));
    return Math.max(0, Math.min(columnSpread, spare));
  }

  /** A constant that is added: at the point of what it meets, or at a finer one that its width allows. */
  #addend(value: OpValue, constant: ConstValue, frac: number): ValueId {
    const { data } = constant.data;
    if (isExact(constant) && !isProduct(value.op)) {
      const { codes, quant } = exactConstant(constant.data);
      return this.#constant(constant, codes, quant);
    }
    const request = this.#layer(value)?.bias ?? this.#layer(value)?.weight;
    if (request !== undefined) {
      const wish = constantPrecision(data, request);
      // The accumulator's point is the finest that a bias can have.
      const format =
        isProduct(value.op) && wish.format.frac > frac ? coarser(wish.format, frac) : wish.format;
      const { codes, quant } = quantizeConstant(constant.data, { ...wish, format });
      return this.#constant(constant, codes, quant);
    }
    if (isProduct(value.op)) return this.#bias(value, constant, frac);
    const calibrated = constantPrecision(data, this.#options.default).format.frac;
    const point = Math.max(frac, Math.min(calibrated, frac + 16));
    const reach = data.reduce((top, x) => Math.max(top, Math.abs(x)), 0);
    const width = Math.max(1, Math.ceil(Math.log2(reach * 2 ** point + 1))) + 2;
    const format = makeFormat(true, Math.min(width, 53), point);
    const precision = { format, rounding: defaultRounding, overflow: defaultOverflow };
    const { codes, quant } = quantizeConstant(constant.data, precision);
    return this.#constant(constant, codes, quant);
  }

  /** A bias at the point of its column's products, which is the accumulator's or a coarser one. */
  #bias(value: OpValue, constant: ConstValue, frac: number): ValueId {
    const weights = getValue(this.#graph, value.args[1]);
    const matrices = weights.kind === "const" ? weightMatrices(value.op, weights.shape) : undefined;
    const twos =
      weights.kind === "const" && matrices !== undefined
        ? twosOfColumns(this.#quantizeWeight(value, weights).codes.data, matrices)
        : [];
    const codes = constant.data.data.map((element, n) => {
      const spare = twos[n] ?? 0;
      return Math.floor(element * 2 ** (frac - spare) + 0.5) * 2 ** spare;
    });
    const packed = packConstant(constant.data, codes, frac);
    return this.#constant(constant, packed.codes, packed.quant);
  }

  #constant({ id, origin }: ConstValue, codes: ConstValue["data"], quant: Quant): ValueId {
    const made = this.#build.from(origin).constant(codes, id, quant);
    return made;
  }

  /** Sections for a table that is steep near zero, by what calibration saw of its argument. */
  #sections(value: OpValue, op: PrimitiveOp): readonly Section[] {
    const [arg] = value.args;
    const { format, ranges } = quantOf(this.#build.value(this.#value(arg)));
    const [low, high] = ranges.hull();
    const seen = this.#statistics.get(arg);
    const { tableBits } = this.#options;
    if (seen === undefined || seen.min < 0 || bitsOfSpan(low, high) <= tableBits) return [];
    const [from, to] = op.indexDomain?.(value.attrs) ?? [-Infinity, Infinity];
    const hi = Math.min(codeToReal(high, format), to, seen.max * headroom);
    const lo = Math.max(from, seen.min / headroom, hi * leastShare);
    return sections(lo, hi, tableBits, format.frac);
  }

  /** A table for each section, added up. */
  #sumOfSections(op: PrimitiveOp, value: OpValue, parts: readonly Section[]): ValueId {
    const source = this.#value(value.args[0]);
    const { format, rounding, overflow } = readPrecision(value.attrs as PrecisionAttrs);
    const { dtype, shape, origin } = value;
    const make = (part: PrimitiveOp, id: ValueId, args: readonly ValueId[], attrs: Attrs) =>
      this.#apply(part, args, { kind: "op", id, op: part.name, attrs, args, shape, dtype, origin });
    const tables = parts.map(({ index, bottom, until }) => {
      const narrowed = { format: index, rounding: defaultRounding, overflow: defaultOverflow };
      // What lies below the section above it may be negative.
      const isDifference = until !== undefined && !format.signed;
      const result = isDifference ? makeFormat(true, format.width + 1, format.frac) : format;
      return make(
        op,
        this.#build.freshName(`${value.id}.section`),
        [this.#requantize(source, narrowed)],
        {
          ...value.attrs,
          ...precisionAttrs({ format: result, rounding, overflow }),
          ...(bottom !== undefined && { bottom }),
          ...(until !== undefined && { until, last: until - 2 ** -index.frac }),
        },
      );
    });
    const add = primitiveOf(this.#ops, "add");
    return tables.reduce((sum, table, i) => {
      const id = i === tables.length - 1 ? value.id : this.#build.freshName(`${value.id}.sum`);
      return make(add, id, [sum, table], {});
    });
  }

  /** The value for the index of a table: exact where it has few enough codes, else narrowed to its part. */
  #index(arg: ValueId, [from, to]: readonly [number, number]): ValueId {
    const id = this.#value(arg);
    const { format, ranges } = quantOf(this.#build.value(id));
    const { tableBits } = this.#options;
    const step = 2 ** -format.frac;
    const [lo, hi] = ranges.hull();
    if (bitsOfSpan(lo, hi) <= tableBits) return id;
    const seen = this.#statistics.get(arg);
    const isOpen = !Number.isFinite(from) || !Number.isFinite(to);
    const min = Math.max(Number(lo) * step, from, isOpen ? (seen?.min ?? -Infinity) : -Infinity);
    const max = Math.min(Number(hi) * step, to, isOpen ? (seen?.max ?? Infinity) : Infinity);
    const reach = formatForRange(Math.min(min, 0), Math.max(max, 0), tableBits);
    // No finer than the value itself: that would add entries which never occur.
    const narrowed = reach.frac > format.frac ? coarser(reach, format.frac) : reach;
    return this.#requantize(id, {
      format: narrowed,
      rounding: defaultRounding,
      overflow: defaultOverflow,
    });
  }

  /** The value in few enough bits for a product or an output. */
  #narrow(arg: ValueId, request: PrecisionRequest, isOutput: boolean): ValueId {
    const value = getValue(this.#graph, arg);
    if (value.kind === "const") {
      return fail("N2F_OP_UNSUPPORTED", "an output of the network is a constant", {
        hint: "Leave the output out of the model; its value does not depend on the inputs.",
      });
    }
    const id = this.#value(arg);
    if (request.kind === "exact") return id;
    const quant = quantOf(this.#build.value(id));
    // What counts or is true has no precision to choose, and what the layer's options set stays.
    if (value.dtype !== "float" || this.#layer(value)?.result !== undefined) return id;
    const bounds = quant.ranges.hull().map((code) => codeToReal(code, quant.format));
    const precision = this.#precision(arg, request, bounds as [number, number]);
    const fits = quant.format.width <= precision.format.width;
    if (fits && (!isOutput || request.kind === "width")) return id;
    return this.#choose(this.#requantize(id, precision), value, request, "value");
  }

  /** The precision of a result that has to be chosen. */
  #result(value: OpValue): Precision {
    const request = this.#layer(value)?.result ?? this.#options.default;
    if (request.kind === "exact") {
      return fail("N2F_CONFIG_INVALID", `${value.op} has no exact result`, {
        hint: "Give a format such as fixed<16,1> for this layer's result.",
      });
    }
    this.#choose(value.id, value, request, "value");
    const seen = this.#statistics.get(value.id) ?? nothingSeen;
    return this.#precision(value.id, request, [seen.min, seen.max]);
  }

  /** @param bounds where the value is known to lie, besides what calibration saw of it */
  #precision(
    id: ValueId,
    request: Exclude<PrecisionRequest, { kind: "exact" }>,
    bounds: readonly [number, number] = [-Infinity, Infinity],
  ): Precision {
    if (request.kind === "format") return request.precision;
    const seen = this.#statistics.get(id) ?? nothingSeen;
    const min = Math.max(seen.min * headroom, bounds[0]);
    const max = Math.min(seen.max * headroom, bounds[1]);
    return calibratedPrecision({ ...seen, min, max }, request.widthBits, this.#options);
  }

  #requantize(id: ValueId, precision: Precision): ValueId {
    const key = `${id}|${formatText(precision.format)}|${precision.rounding}|${precision.overflow}`;
    const done = this.#narrowed.get(key);
    if (done !== undefined) return done;
    const source = this.#build.value(id);
    const attrs = precisionAttrs(precision);
    const op = primitiveOf(this.#ops, "requantize");
    const { shape, dtype, origin } = source;
    const made = this.#build.freshName(`${id}.q`);
    const value: OpValue = {
      kind: "op",
      id: made,
      op: "requantize",
      attrs,
      args: [id],
      shape,
      dtype,
      origin,
    };
    this.#narrowed.set(key, this.#folded(op, source, value) ?? this.#apply(op, [id], value));
    return made;
  }

  /** A constant in another format, where its codes are numbers that a constant holds. */
  #folded(op: PrimitiveOp, source: Value, { id, attrs }: OpValue): ValueId | undefined {
    if (source.kind !== "const") return undefined;
    const { shape, dtype, data } = source;
    const arg = { shape, dtype, quant: quantOf(source), data };
    const quant = op.quant([arg], attrs);
    if (quant.format.width > mostConstantBits) return undefined;
    const codes = op.fixed([Array.from(data.data, BigInt)], [arg], attrs, quant);
    const folded = makeTensor(shape, codes.map(Number), dtype);
    return this.#build.add({ ...source, id, data: folded, quant });
  }

  #apply(op: PrimitiveOp, args: readonly ValueId[], value: OpValue): ValueId {
    const described = args.map((id): QuantArg => {
      const arg = this.#build.value(id);
      const { shape, dtype } = arg;
      return { shape, dtype, quant: quantOf(arg), ...(arg.kind === "const" && { data: arg.data }) };
    });
    const quant = op.quant(described, value.attrs);
    return this.#build.add({ ...value, args, quant });
  }

  #value(id: ValueId): ValueId {
    return this.#exact.get(id) as ValueId;
  }

  #format(id: ValueId): Format {
    return quantOf(this.#build.value(id)).format;
  }

  #layer(value: Value) {
    for (const name of layerNames(value)) {
      const layer = this.#options.layers.get(name);
      if (layer !== undefined) return layer;
    }
    return undefined;
  }
}

/** Bits of a constant's codes, which doubles hold exactly. */
const mostConstantBits = 53;

/** New data reach a little further than what calibration saw, and saturation costs more than half a bit. */
const headroom = 1.25;

/** Inputs that count have no fraction, and truth values have one bit. */
function withoutFraction(dtype: DType, precision: Precision): Precision {
  const { format } = precision;
  if (dtype === "bool") return { ...precision, format: makeFormat(false, 1, 0) };
  return dtype === "int" && format.frac > 0
    ? { ...precision, format: coarser(format, 0) }
    : precision;
}

/** Arguments of steep functions that are smaller than this share of the greatest do not matter. */
const leastShare = 2 ** -16;

const nothingSeen = { min: -1, max: 1, reach: new Float64Array(), sample: new Float64Array() };

/**
 * Outputs keep the exact result up to 32 bits: they cost wires alone, and small differences between large
 * scores survive. Where a whole format is asked for, outputs have it too.
 */
function defaultOutput(request: PrecisionRequest): PrecisionRequest {
  return request.kind === "width"
    ? { kind: "width", widthBits: Math.max(32, request.widthBits) }
    : request;
}

/** A constant's precision: as asked, or the finest binary point at which its greatest element fits. */
function constantPrecision(data: Float64Array, request: PrecisionRequest): Precision {
  if (request.kind === "format") return request.precision;
  let [min, max] = [0, 0];
  for (const value of data) {
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  const width = request.kind === "width" ? request.widthBits : 32;
  return {
    format: formatForRange(min, max, width),
    rounding: defaultRounding,
    overflow: defaultOverflow,
  };
}

/** The same reach with a coarser binary point, and so fewer bits. */
function coarser(format: Format, frac: number): Format {
  return makeFormat(format.signed, Math.max(1, format.width - (format.frac - frac)), frac);
}

/** Constants to be taken as they are: exact ones, and whole numbers. */
function isWhole(value: Value): boolean {
  return value.kind === "const" && (isExact(value) || value.data.data.every(Number.isInteger));
}

/** Address bits of a table that has an entry for each code of an interval. */
function bitsOfSpan(lo: bigint, hi: bigint): number {
  return (hi - lo).toString(2).length;
}
