import { assert, fail } from "../../base/index.ts";
import type { Field, PipelineSegment, Wire } from "../../design/index.ts";
import { containerBytes } from "../../fixed/index.ts";
import {
  depthwiseMemories,
  memoryImage,
  multiplierCode,
  mvuMemories,
  reduceCode,
  reorderMemory,
  windowLine,
  windowMemLines,
} from "../../hwlib/index.ts";
import {
  type Graph,
  getValue,
  inputsOf,
  type Kernel,
  type OpValue,
  originText,
  quantArgs,
  quantOf,
  type Registry,
  type ValueId,
} from "../../ir/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { scheduleStages } from "../stages.ts";
import type { EngineLayer } from "./engine-layer.ts";
import type { FoldingPoint } from "./folding.ts";
import {
  beatsOf,
  dividingLanes,
  elementsOf,
  isPadded,
  type Layout,
  lanesForRate,
} from "./layout.ts";
import { NetworkBuilder, outside, type Stream } from "./network-builder.ts";
import { elementGeometry, NotLocal, RegionBuilder, rowGeometry } from "./region.ts";
import { kernelOf, type RegionUnit, type Unit } from "./units.ts";
import { isPixel, type WindowGeometry, windowGeometry } from "./window-layer.ts";

export interface LowerOptions {
  /** Cycles that every node may take for an inference. */
  readonly interval: number;
  readonly maxLevels: number;
  readonly point: (layer: EngineLayer) => FoldingPoint;
}

export interface Lowered {
  readonly network: NetworkBuilder;
  readonly input: { readonly beats: number; readonly beatBytes: number };
  readonly output: { readonly beats: number; readonly beatBytes: number };
}

/** Bits of a window that are still made in one beat. */
const wideWindowBits = 8192;
/** Bits above which a buffer goes to block RAM. */
const lutRamBits = 8192;
/** Pixels of a row up to which its buffer is LUT RAM. */
const lutRamWords = 128;

/** A stream whose elements are a value's codes; or, for the result of an engine, the codes without their twos. */
interface Source {
  readonly stream: Stream;
  readonly twos?: readonly number[];
}

/** Makes nodes and edges of a graph's units: every FIFO has the least depth as yet. */
export function lowerGraph(
  graph: Graph,
  ops: Registry,
  units: ReadonlyMap<ValueId, Unit>,
  options: LowerOptions,
): Lowered {
  return new Lowering(graph, ops, units, options).run();
}

class Lowering {
  readonly #graph: Graph;
  readonly #ops: Registry;
  readonly #units: ReadonlyMap<ValueId, Unit>;
  readonly #options: LowerOptions;
  readonly #net = new NetworkBuilder();
  /** What is left of each value for those that read it. */
  readonly #sources = new Map<ValueId, Source[]>();
  readonly #readers = new Map<ValueId, number>();
  readonly #done = new Set<Unit>();

  constructor(
    graph: Graph,
    ops: Registry,
    units: ReadonlyMap<ValueId, Unit>,
    options: LowerOptions,
  ) {
    this.#graph = graph;
    this.#ops = ops;
    this.#units = units;
    this.#options = options;
  }

  run(): Lowered {
    const read = (id: ValueId) => {
      if (getValue(this.#graph, id).kind === "const") return;
      this.#readers.set(id, (this.#readers.get(id) ?? 0) + 1);
    };
    for (const unit of new Set(this.#units.values())) {
      if (unit.kind === "region") unit.inputs.forEach(read);
      else if (unit.kind === "engine") read(unit.value.args[0]);
      else unit.value.args.forEach(read);
    }
    for (const { value } of this.#graph.outputs) read(value);
    const input = this.#input();
    for (const { value } of this.#graph.outputs) this.#ensure(value);
    const output = this.#output();
    return { network: this.#net, input, output };
  }

  /** Makes the unit that makes a value, and before it all that it reads. */
  #ensure(id: ValueId): void {
    const unit = this.#units.get(id);
    if (unit === undefined || this.#done.has(unit)) return;
    this.#done.add(unit);
    if (unit.kind === "region") {
      for (const input of unit.inputs) this.#ensure(input);
      this.#region(unit);
      return;
    }
    const { value } = unit;
    for (const arg of value.args) this.#ensure(arg);
    this.#net.from(value.origin);
    if (unit.kind === "engine") this.#engine(unit.layer, value);
    else this.#module(value);
  }

  /** Hands a value's stream to all that read it. */
  #provide(id: ValueId, stream: Stream, twos?: readonly number[]): void {
    const readers = this.#readers.get(id) ?? 0;
    assert(readers > 0, `nothing reads ${id}`);
    const needsTwos = twos?.some((zeros) => zeros > 0);
    const sources = this.#net
      .fork(stream, readers)
      .map((branch): Source => ({ stream: branch, ...(needsTwos && twos && { twos }) }));
    this.#sources.set(id, sources);
  }

  #source(id: ValueId): Source {
    const source = this.#sources.get(id)?.shift();
    assert(source !== undefined, `value ${id} is not at hand`);
    return source;
  }

  /** A value's codes as vectors of some length in beats of some lanes. */
  #take(id: ValueId, vector: number, lanes: number): Stream {
    return this.#net.convert(this.#plain(id), vector, lanes);
  }

  /** A value's codes as they come. */
  #plain(id: ValueId): Stream {
    const source = this.#source(id);
    if (source.twos === undefined) return source.stream;
    const value = getValue(this.#graph, id);
    const unit: RegionUnit = { kind: "region", members: [], inputs: [id], outputs: [id] };
    this.#net.from(value.origin);
    return this.#pipeline(unit, new Map([[id, source]]))[0];
  }

  // Packets.

  #input(): { beats: number; beatBytes: number } {
    const values = inputsOf(this.#graph).filter(({ id }) => this.#readers.has(id));
    const all = inputsOf(this.#graph);
    if (all.length !== 1 || values.length !== 1) return this.#manyInputs();
    const [value] = values;
    const { format } = quantOf(value);
    const elements = sizeOf(value.shape);
    const containerBits = containerBytes(format) * 8;
    const containers = this.#containers(elements, containerBits);
    const lanes = this.#inputLanes(value.id, elements);
    this.#net.from(value.origin);
    const node = this.#net.module("n2f_axis_lanes_in", "input", `packets of ${value.id}`, {
      X_W: format.width,
      V: elements,
      CONTAINER_W: containerBits,
      CONTAINERS: containers,
      P: lanes,
    });
    const beats = Math.ceil(elements / containers);
    this.#net.connectBits(
      { node: outside, port: 0 },
      { node, port: 0 },
      containers * containerBits,
      beats,
    );
    const layout = { vectors: 1, vector: elements, lanes };
    this.#provide(value.id, this.#net.output(node, layout, format.width));
    return { beats, beatBytes: (containers * containerBits) / 8 };
  }

  /** Several tensors in one packet: cut apart by counting. */
  #manyInputs(): { beats: number; beatBytes: number } {
    const values = inputsOf(this.#graph);
    const formats = values.map((value) => quantOf(value).format);
    const containerBits = Math.max(...formats.map((format) => containerBytes(format) * 8));
    if (formats.some((format) => containerBytes(format) * 8 !== containerBits)) {
      fail("N2F_OP_UNSUPPORTED", "inputs whose codes travel in containers of different sizes", {
        at: values.map(({ id }) => id).join(", "),
        hint: "Give all inputs one width, with --input-precision, or use --architecture parallel.",
      });
    }
    const sizes = values.map(({ shape }) => sizeOf(shape));
    const total = sizes.reduce((a, b) => a + b, 0);
    const width = Math.max(...formats.map((format) => format.width));
    const containers = this.#containers(total, containerBits);
    const unit = sizes.reduce((a, b) => greatestCommonDivisor(a, b));
    const lanes = dividingLanes(
      unit,
      Math.max(containers, Math.ceil(total / this.#options.interval)),
    );
    const node = this.#net.module("n2f_axis_lanes_in", "input", "packets of all inputs", {
      X_W: width,
      V: total,
      CONTAINER_W: containerBits,
      CONTAINERS: containers,
      P: lanes,
    });
    const beats = Math.ceil(total / containers);
    this.#net.connectBits(
      { node: outside, port: 0 },
      { node, port: 0 },
      containers * containerBits,
      beats,
    );
    let rest = this.#net.output(node, { vectors: 1, vector: total, lanes }, width);
    let left = total;
    values.forEach((value, i) => {
      const size = sizes[i];
      left -= size;
      const layout = { vectors: 1, vector: size, lanes };
      if (left === 0) {
        this.#provide(value.id, { ...rest, layout });
        return;
      }
      this.#net.from(value.origin);
      const title = `${value.id} and what follows`;
      const params = { WIDTH: lanes * width, A_BEATS: size / lanes, B_BEATS: left / lanes };
      const split = this.#net.module("n2f_split", "split", title, params, {
        inputs: 1,
        outputs: 2,
      });
      this.#net.connect(rest, { node: split, port: 0 });
      const part = (port: number, vector: number): Stream => ({
        from: { node: split, port },
        layout: { vectors: 1, vector, lanes },
        widthBits: width,
        fromBit: 0,
      });
      this.#provide(value.id, part(0, size));
      rest = part(1, left);
    });
    return { beats, beatBytes: (containers * containerBits) / 8 };
  }

  /** Containers of a beat: few, and as many as the interval needs; bytes of a beat are a power of two. */
  #containers(elements: number, containerBits: number): number {
    let containers = 1;
    while (
      Math.ceil(elements / containers) > this.#options.interval &&
      containers * containerBits < 512
    )
      containers *= 2;
    return containers;
  }

  /** Lanes in which the first reader wants an input. */
  #inputLanes(id: ValueId, elements: number): number {
    const { interval } = this.#options;
    const value = getValue(this.#graph, id);
    for (const unit of new Set(this.#units.values())) {
      if (unit.kind !== "engine" || unit.value.args[0] !== id) continue;
      const { layer } = unit;
      const wanted = layer.window === undefined ? this.#options.point(layer).simd : layer.window.C;
      if (elements % wanted === 0 && wanted <= 64) return wanted;
    }
    const vector = value.shape.at(-1) ?? 1;
    return lanesForRate(elements / vector, vector, interval);
  }

  #output(): { beats: number; beatBytes: number } {
    const { outputs } = this.#graph;
    const formats = outputs.map(({ value }) => quantOf(getValue(this.#graph, value)).format);
    const containerBits = Math.max(...formats.map((format) => containerBytes(format) * 8));
    const signed = formats.some((format) => format.signed);
    if (
      formats.some(
        (format) => containerBytes(format) * 8 !== containerBits || format.signed !== signed,
      )
    ) {
      fail("N2F_OP_UNSUPPORTED", "outputs whose codes travel in containers of different types", {
        at: outputs.map(({ name }) => name).join(", "),
        hint: "Give all outputs one format, with --output-precision, or use --architecture parallel.",
      });
    }
    const streams = outputs.map(({ value }) => {
      const stream = this.#plain(value);
      const { layout } = stream;
      if (!isPadded(layout)) return stream;
      return this.#net.convert(stream, layout.vector, dividingLanes(layout.vector, layout.lanes));
    });
    const joined = this.#join(streams);
    const elements = elementsOf(joined.layout);
    const containers = this.#containers(elements, containerBits);
    const node = this.#net.module("n2f_axis_lanes_out", "output", "packets of the results", {
      X_W: joined.widthBits,
      SIGNED: signed,
      V: elements,
      P: joined.layout.lanes,
      CONTAINER_W: containerBits,
      CONTAINERS: containers,
    });
    this.#net.connect(joined, { node, port: 0 });
    const beats = Math.ceil(elements / containers);
    this.#net.connectBits(
      { node, port: 0 },
      { node: outside, port: 0 },
      containers * containerBits,
      beats,
    );
    return { beats, beatBytes: (containers * containerBits) / 8 };
  }

  /** All of one stream, then all of the next. */
  #join(streams: readonly Stream[]): Stream {
    if (streams.length === 1) return streams[0];
    const width = Math.max(...streams.map(({ widthBits }) => widthBits));
    const lanes = streams
      .map(({ layout }) => layout.lanes)
      .reduce((a, b) => greatestCommonDivisor(a, b));
    return streams
      .map((stream) => this.#net.convert(stream, elementsOf(stream.layout), lanes))
      .reduce((a, b) => {
        assert(a.widthBits === width && b.widthBits === width, "joined streams have one width");
        return this.#concat(a, b, beatsOf(a.layout), beatsOf(b.layout), {
          vectors: 1,
          vector: elementsOf(a.layout) + elementsOf(b.layout),
          lanes,
        });
      });
  }

  #concat(a: Stream, b: Stream, aBeats: number, bBeats: number, layout: Layout): Stream {
    const params = { WIDTH: layout.lanes * a.widthBits, A_BEATS: aBeats, B_BEATS: bBeats };
    const node = this.#net.module("n2f_concat", "concat", "one stream, then the other", params, {
      inputs: 2,
      outputs: 1,
    });
    this.#net.connect(a, { node, port: 0 });
    this.#net.connect(b, { node, port: 1 });
    return this.#net.output(node, layout, a.widthBits);
  }

  // Engines.

  #engine(layer: EngineLayer, value: OpValue): void {
    const point = this.#options.point(layer);
    const x = value.args[0];
    const stream =
      layer.kind === "depthwise"
        ? this.#depthwise(layer, point, x)
        : this.#matrixVector(layer, point, x);
    this.#provide(value.id, stream, layer.twos);
  }

  #matrixVector(layer: EngineLayer, point: FoldingPoint, x: ValueId): Stream {
    const { k, n, vectors, window } = layer;
    const input =
      window === undefined
        ? this.#take(x, k, point.simd)
        : this.#windows(window, x, 0, { lanes: point.simd });
    const isParallel = input.layout.lanes === k && point.simd < k;
    const name = this.#net.nextName("mvu");
    const params = {
      K: k,
      N: n,
      SIMD: point.simd,
      PE: point.pe,
      ROWS: 1,
      PARALLEL: isParallel,
      X_W: input.widthBits,
      X_SIGNED: layer.xSigned,
      W_W: layer.wBits,
      ACC_W: layer.accBits,
      MULTIPLIER: point.multiplier,
      MEMORY: point.memory,
      WEIGHTS: `${name}_weights.hex`,
      BIAS: `${name}_bias.hex`,
    };
    const { weights, bias } = layer.codes();
    const memories = mvuMemories(params, weights, bias);
    this.#net.memories.set(params.WEIGHTS, memories.weights);
    this.#net.memories.set(params.BIAS, memories.bias);
    const title = `${k} by ${n}, ${point.simd} by ${point.pe} at a time`;
    const node = this.#net.module("n2f_mvu", "mvu", title, params);
    this.#net.connect(input, { node, port: 0 });
    return this.#net.output(node, { vectors, vector: n, lanes: point.pe }, layer.accBits);
  }

  #depthwise(layer: EngineLayer, point: FoldingPoint, x: ValueId): Stream {
    const { k, n, vectors } = layer;
    const window = layer.window as WindowGeometry;
    const input = this.#windows(window, x, 0, {
      lanes: point.pe,
      byChannel: true,
      isWhole: point.isParallel,
    });
    const name = this.#net.nextName("depthwise");
    const params = {
      C: n,
      K: k,
      PE: point.pe,
      ROWS: 1,
      PARALLEL: point.isParallel,
      X_W: input.widthBits,
      X_SIGNED: layer.xSigned,
      W_W: layer.wBits,
      ACC_W: layer.accBits,
      MULTIPLIER: point.multiplier,
      MEMORY: point.memory,
      WEIGHTS: `${name}_weights.hex`,
      BIAS: `${name}_bias.hex`,
    };
    const { weights, bias } = layer.codes();
    const memories = depthwiseMemories(params, weights, bias);
    this.#net.memories.set(params.WEIGHTS, memories.weights);
    this.#net.memories.set(params.BIAS, memories.bias);
    const title = `${n} channels, ${point.pe} at a time`;
    const node = this.#net.module("n2f_depthwise", "depthwise", title, params);
    this.#net.connect(input, { node, port: 0 });
    return this.#net.output(node, { vectors, vector: n, lanes: point.pe }, layer.accBits);
  }

  /**
   * The windows over a value, one after the other.
   *
   * @param lanes elements of a beat that the reader wants; it also takes whole windows
   * @param byChannel channels outside, positions inside
   */
  #windows(
    window: WindowGeometry,
    x: ValueId,
    padding: number,
    {
      lanes,
      byChannel = false,
      isWhole,
    }: { readonly lanes: number; readonly byChannel?: boolean; readonly isWhole?: boolean },
  ): Stream {
    const { places, taps, H, W, C } = window;
    const { interval } = this.#options;
    const size = taps * C;
    if (taps === 1 && window.PT + window.PB + window.PL + window.PR === 0) {
      return this.#picked(window, x, lanes, interval);
    }
    const format = quantOf(getValue(this.#graph, x)).format;
    const { places: _places, taps: _taps, ...geometry } = window;
    const line = {
      ...geometry,
      X_W: format.width,
      PAD: padding,
      COLS: 1,
      // A row buffer is wide and short: LUT RAM has 32 words, block RAM 512 at least.
      STYLE: W > lutRamWords ? 1 : 0,
    };
    const canLine = windowLine.constraint?.(line) === undefined;
    const wantsLine = isWhole ?? size * format.width <= wideWindowBits;
    const title = `windows of ${window.KH} by ${window.KW} over ${H} by ${W} by ${C}`;
    if (canLine && wantsLine) {
      const input = this.#take(x, C, C);
      const params = { ...line, X_W: input.widthBits };
      const node = this.#net.module("n2f_window_line", "window", title, params);
      this.#net.connect(input, { node, port: 0 });
      return this.#net.output(
        node,
        { vectors: places, vector: size, lanes: size },
        input.widthBits,
      );
    }
    const fewest = byChannel ? lanes : lanesForRate(places * taps, C, interval);
    const P = byChannel || isWhole ? lanes : Math.max(fewest, dividingLanes(C, lanes));
    const input = this.#take(x, C, P);
    const least = windowMemLines(window);
    const rows = Math.min(H, least + window.SH);
    const params = {
      ...geometry,
      X_W: input.widthBits,
      PAD: padding,
      P,
      LINES: Math.max(least, rows),
      CHANNEL_MAJOR: byChannel,
      STYLE: rows * W * C * input.widthBits > lutRamBits ? 1 : 0,
    };
    const node = this.#net.module("n2f_window_mem", "window", title, params);
    this.#net.connect(input, { node, port: 0 });
    const layout = { vectors: places, vector: size, lanes: P };
    const stream = this.#net.output(node, layout, input.widthBits);
    if (byChannel) return isWhole ? this.#net.convert(stream, size, size) : stream;
    return this.#net.convert(stream, size, lanes);
  }

  /** Every so-and-so-many pixel. */
  #picked(window: WindowGeometry, x: ValueId, lanes: number, interval: number): Stream {
    const { H, W, C, SH, SW, places } = window;
    if (isPixel(window)) return this.#take(x, C, lanes);
    const P = Math.max(lanesForRate(H * W, C, interval), dividingLanes(C, lanes));
    const input = this.#take(x, C, P);
    const OW = Math.floor((W - 1) / SW) + 1;
    const node = this.#net.module("n2f_slice", "slice", `every pixel in ${SH} by ${SW}`, {
      WIDTH: P * input.widthBits,
      H,
      W,
      B: C / P,
      Y0: 0,
      SY: SH,
      OH: places / OW,
      X0: 0,
      SX: SW,
      OW,
    });
    this.#net.connect(input, { node, port: 0 });
    const stream = this.#net.output(
      node,
      { vectors: places, vector: C, lanes: P },
      input.widthBits,
    );
    return this.#net.convert(stream, C, lanes);
  }

  // Modules.

  #module(value: OpValue): void {
    this.#provide(value.id, this.#moduleStream(value));
  }

  #moduleStream(value: OpValue): Stream {
    switch (value.op) {
      case "max_pool":
        return this.#pool(value, reduceCode.max);
      case "sum_pool":
        return this.#pool(value, reduceCode.sum);
    }
    const kernel = kernelOf(this.#graph, this.#ops, value);
    switch (kernel.kind) {
      case "reduce":
        return this.#reduce(value, kernel);
      case "gather":
        return this.#gather(value, kernel);
      case "matmul":
        return this.#product(value, kernel);
      default:
        return this.#refuse(value);
    }
  }

  #refuse(value: OpValue, why = "it has no stream module"): never {
    return fail("N2F_OP_UNSUPPORTED", `${value.op} cannot be streamed: ${why}`, {
      at: originText(value.origin),
      hint: "Use --architecture parallel for a small network, or remove the node from the model.",
    });
  }

  #pool(value: OpValue, code: number): Stream {
    const [x] = value.args;
    const source = getValue(this.#graph, x);
    const { interval } = this.#options;
    const window = windowGeometry(value, source.shape);
    const { places, taps, C } = window;
    const { format, ranges } = quantOf(source);
    const isMax = code === reduceCode.max;
    if (places === 1 && taps === window.H * window.W) {
      return this.#reduce(value, {
        ...{ kind: "reduce" as const, fn: isMax ? ("max" as const) : ("sum" as const) },
        ...{ outer: 1, length: taps, inner: C },
      });
    }
    const padding = isMax ? Number(ranges.hull()[0]) : 0;
    const isWhole = taps * C * format.width <= wideWindowBits;
    const lanes = isWhole
      ? lanesForRate(places, C, interval)
      : lanesForRate(places * taps, C, interval);
    const input = this.#windows(window, x, padding, { lanes, byChannel: true, isWhole });
    const to = quantOf(value).format;
    const bits = Math.max(input.widthBits, to.width + (format.signed && !to.signed ? 1 : 0));
    const node = this.#net.module(
      "n2f_pool",
      isMax ? "maxpool" : "sumpool",
      `${isMax ? "greatest" : "sum"} of ${taps}, ${lanes} of ${C} channels at a time`,
      {
        C,
        K: taps,
        PE: lanes,
        ROWS: 1,
        PARALLEL: input.layout.lanes === taps * C,
        OP: code,
        X_W: input.widthBits,
        X_SIGNED: format.signed,
        Y_W: bits,
      },
    );
    this.#net.connect(input, { node, port: 0 });
    return this.#net.output(node, { vectors: places, vector: C, lanes }, bits);
  }

  #reduce(value: OpValue, kernel: Extract<Kernel, { kind: "reduce" }>): Stream {
    const { outer, length, inner, fn, last, windows } = kernel;
    if (windows !== undefined) return this.#refuse(value);
    const [x] = value.args;
    const { format } = quantOf(getValue(this.#graph, x));
    const to = quantOf(value).format;
    const { interval } = this.#options;
    if (inner === 1) {
      const isPlace = fn === "argmax";
      if (fn === "argmin" || (isPlace && last)) return this.#refuse(value);
      const lanes = lanesForRate(outer, length, interval);
      const input = this.#take(x, length, lanes);
      const bits = isPlace
        ? Math.max(to.width, 1)
        : Math.max(input.widthBits, to.width + (format.signed && !to.signed ? 1 : 0));
      const params = {
        V: length,
        P: lanes,
        OP: reduceCode[fn],
        X_W: input.widthBits,
        X_SIGNED: format.signed,
        Y_W: bits,
      };
      const title = `${fn} of ${length}`;
      const node = this.#net.module("n2f_reduce_lanes", "reduce", title, params);
      this.#net.connect(input, { node, port: 0 });
      return this.#net.output(node, { vectors: outer, vector: 1, lanes: 1 }, bits);
    }
    if (fn === "argmax" || fn === "argmin") {
      return this.#refuse(value, "the greatest element's place is found along the last axis only");
    }
    const lanes = lanesForRate(outer * length, inner, interval);
    const input = this.#take(x, inner, lanes);
    const bits = Math.max(input.widthBits, to.width + (format.signed && !to.signed ? 1 : 0));
    const node = this.#net.module("n2f_reduce", "reduce", `${fn} over ${length} pixels`, {
      PIXELS: length,
      BEATS: inner / lanes,
      P: lanes,
      OP: reduceCode[fn],
      X_W: input.widthBits,
      X_SIGNED: format.signed,
      Y_W: bits,
    });
    this.#net.connect(input, { node, port: 0 });
    return this.#net.output(node, { vectors: outer, vector: inner, lanes }, bits);
  }

  /** Another order of elements. */
  #gather(value: OpValue, kernel: Extract<Kernel, { kind: "gather" }>): Stream {
    const size = sizeOf(value.shape);
    const vector = value.shape.at(-1) ?? 1;
    const { interval } = this.#options;
    const index = kernel.index ?? Int32Array.from({ length: size }, (_, i) => i);
    if (index.some((from) => from < 0)) {
      return this.#refuse(value, "padding that no window takes in has no stream module yet");
    }
    const isConst = value.args.map((id) => getValue(this.#graph, id).kind === "const");
    if (isConst.some((is) => is)) return this.#refuse(value, "constants are joined to a stream");
    const lengths = value.args.map((id) => sizeOf(getValue(this.#graph, id).shape));
    const first = lengths.map((_, at) => lengths.slice(0, at).reduce((a, b) => a + b, 0));
    const flat =
      kernel.source === undefined
        ? index
        : index.map((from, i) => from + first[(kernel.source as Int32Array)[i]]);
    // The longest runs of neighbours that stay together.
    let run = lengths.reduce((a, b) => greatestCommonDivisor(a, b), size);
    for (let i = 1; i < size; i++)
      if (flat[i] !== flat[i - 1] + 1) run = greatestCommonDivisor(run, i);
    for (const from of flat.filter((_, i) => i % run === 0)) run = greatestCommonDivisor(run, from);
    const total = lengths.reduce((a, b) => a + b, 0);
    const wanted = lanesForRate(
      1,
      run,
      Math.max(1, Math.floor((interval * run) / Math.max(size, total))),
    );
    const lanes = dividingLanes(run, wanted);
    const streams = value.args.map((id, at) => this.#take(id, lengths[at], lanes));
    const turns = this.#turns(value, kernel, lengths, lanes);
    if (turns !== undefined) {
      const [a, b] = streams;
      const layout = { vectors: size / vector, vector, lanes };
      const plain = { vectors: 1, vector: size, lanes };
      return this.#concat(a, b, turns[0], turns[1], vector % lanes === 0 ? layout : plain);
    }
    const joined = this.#join(streams);
    const inBeats = total / lanes;
    const order = Array.from({ length: size / lanes }, (_, beat) => flat[beat * lanes] / lanes);
    const title = `another order of ${inBeats} beats`;
    const name = this.#net.nextName("reorder");
    const params = {
      WIDTH: lanes * joined.widthBits,
      IN_BEATS: inBeats,
      OUT_BEATS: order.length,
      STYLE: 2 * inBeats * lanes * joined.widthBits > lutRamBits ? 1 : 0,
      ORDER: `${name}_order.hex`,
    };
    this.#net.memories.set(params.ORDER, reorderMemory(inBeats, order));
    const node = this.#net.module("n2f_reorder", "reorder", title, params);
    this.#net.connect(joined, { node, port: 0 });
    const layout =
      vector % lanes === 0
        ? { vectors: size / vector, vector, lanes }
        : { vectors: 1, vector: size, lanes };
    return this.#net.output(node, layout, joined.widthBits);
  }

  /** Beats of each of two streams that follow one another, over and over; nothing where it is no such joining. */
  #turns(
    value: OpValue,
    { source, index }: Extract<Kernel, { kind: "gather" }>,
    lengths: readonly number[],
    lanes: number,
  ): readonly [number, number] | undefined {
    if (source === undefined || lengths.length !== 2) return undefined;
    const size = sizeOf(value.shape);
    let a = 0;
    while (a < size && source[a] === 0) a++;
    let b = a;
    while (b < size && source[b] === 1) b++;
    const period = b;
    if (a === 0 || a === b || size % period !== 0 || a % lanes !== 0 || (b - a) % lanes !== 0)
      return undefined;
    for (let i = 0; i < size; i++) {
      const at = i % period;
      const turn = Math.floor(i / period);
      const from = at < a ? turn * a + at : turn * (b - a) + at - a;
      if (source[i] !== (at < a ? 0 : 1) || (index?.[i] ?? i) !== from) return undefined;
    }
    return [a / lanes, (b - a) / lanes];
  }

  /** The product of two streams. */
  #product(value: OpValue, kernel: Extract<Kernel, { kind: "matmul" }>): Stream {
    const { groups, m, k, n, a, b } = kernel;
    const { interval } = this.#options;
    const [x, y] = value.args;
    const isRegular = (side: typeof a, size: number) =>
      side.offset.every((offset, g) => offset === g * size);
    const isTransposed = b.rowStride === 1 && b.columnStride === k && n > 1;
    const isStraight = b.columnStride === 1 && b.rowStride === n;
    if (
      !isRegular(a, m * k) ||
      !isRegular(b, k * n) ||
      a.rowStride !== k ||
      a.columnStride !== 1 ||
      !(isTransposed || isStraight) ||
      value.args.length > 2
    ) {
      return this.#refuse(value, "its factors do not lie row by row");
    }
    const transposed = isTransposed && !isStraight;
    let best: { simd: number; pe: number } = { simd: k, pe: n };
    for (let simd = 1; simd <= k; simd++) {
      if (k % simd !== 0) continue;
      for (let pe = 1; pe <= n; pe++) {
        if (n % pe !== 0) continue;
        const steps = groups * m * (k / simd) * (n / pe);
        const loads = groups * (transposed ? (n * k) / simd : (n * k) / pe);
        if (Math.max(steps, loads) > interval || simd * pe >= best.simd * best.pe) continue;
        best = { simd, pe };
      }
    }
    const { simd, pe } = best;
    const left = this.#take(x, k, simd);
    const right = transposed ? this.#take(y, k, simd) : this.#take(y, n, pe);
    const [fa, fb] = [x, y].map((id) => quantOf(getValue(this.#graph, id)).format);
    const to = quantOf(value).format;
    const bits = to.width + (to.signed ? 0 : 1);
    const node = this.#net.module(
      "n2f_matmul2",
      "matmul",
      `${m} by ${k} by ${n}, ${simd} by ${pe} at a time`,
      {
        M: m,
        K: k,
        N: n,
        SIMD: simd,
        PE: pe,
        TRANSPOSED: transposed,
        A_W: left.widthBits,
        A_SIGNED: fa.signed,
        B_W: right.widthBits,
        B_SIGNED: fb.signed,
        Y_W: bits,
        MULTIPLIER: multiplierCode.dsp,
        STYLE: (k * n * right.widthBits) / pe > lutRamBits ? 1 : 0,
      },
      { inputs: 2, outputs: 1 },
    );
    this.#net.connect(left, { node, port: 0 });
    this.#net.connect(right, { node, port: 1 });
    return this.#net.output(node, { vectors: groups * m, vector: n, lanes: pe }, bits);
  }

  // Operators on lanes.

  #region(unit: RegionUnit): void {
    const sources = new Map(unit.inputs.map((id) => [id, this.#source(id)]));
    if (unit.members.every(({ kernel }) => kernel.kind === "gather") && unit.inputs.length === 1) {
      const [input] = unit.inputs;
      const { stream, twos } = sources.get(input) as Source;
      assert(unit.outputs.length === 1 || twos === undefined, "a reshape has one result");
      const plain = twos === undefined ? stream : this.#unshifted(input, sources);
      this.#alias(unit, plain);
      return;
    }
    const first = unit.members[0].value;
    this.#net.from(first.origin);
    try {
      const streams = this.#pipeline(unit, sources);
      unit.outputs.forEach((id, at) => {
        this.#provide(id, streams[at]);
      });
    } catch (error) {
      if (!(error instanceof NotLocal)) throw error;
      this.#refuse(first, error.message);
    }
  }

  #unshifted(id: ValueId, sources: ReadonlyMap<ValueId, Source>): Stream {
    const unit: RegionUnit = { kind: "region", members: [], inputs: [id], outputs: [id] };
    this.#net.from(getValue(this.#graph, id).origin);
    return this.#pipeline(unit, sources)[0];
  }

  /** Reshapes alone: the same beats under other names. */
  #alias(unit: RegionUnit, stream: Stream): void {
    const total = unit.outputs.reduce((sum, id) => sum + (this.#readers.get(id) ?? 0), 0);
    const branches = this.#net.fork(stream, total);
    for (const id of unit.outputs) {
      const own = branches.splice(0, this.#readers.get(id) ?? 0);
      this.#sources.set(
        id,
        own.map((branch) => ({ stream: branch })),
      );
    }
  }

  /** One pipeline for a region; a stream for each of its outputs. */
  #pipeline(unit: RegionUnit, sources: ReadonlyMap<ValueId, Source>): Stream[] {
    const size = (id: ValueId) => sizeOf(getValue(this.#graph, id).shape);
    const rows = this.#rowsOf(unit);
    const { interval, maxLevels } = this.#options;
    const largest = Math.max(...[...unit.inputs, ...unit.outputs].map(size));
    const shape = this.#elementLayout(unit, sources, largest, interval);
    const geometry = rows === undefined ? elementGeometry(shape) : rowGeometry(rows);
    const region = new RegionBuilder(geometry);
    const fields: Field[] = [];
    const inputBits: number[] = [];
    const inputs: Stream[] = [];
    let bits = 0;
    const bound: { id: ValueId; elements: number; wires: Wire[]; twos?: readonly number[] }[] = [];
    for (const id of unit.inputs) {
      const { stream, twos } = sources.get(id) as Source;
      const own = size(id);
      const value = getValue(this.#graph, id);
      const { ranges, format } = quantOf(value);
      const n = twos?.length ?? 1;
      region.build.from(value.origin);
      let fed: Stream;
      let elements = own;
      if (rows !== undefined) fed = this.#net.convert(stream, own / rows, own / rows);
      else if (own === largest) fed = this.#net.convert(stream, shape.vector, shape.lanes);
      else {
        fed = this.#spread(
          unit,
          id,
          this.#net.convert(stream, own, dividingLanes(own, shape.lanes)),
          shape,
          largest / own,
        );
        elements = largest;
      }
      const wires = region.input(elements, (element) => {
        const at = element % own;
        const spare = BigInt(twos?.[at % n] ?? 0);
        return [ranges.lo(at) >> spare, ranges.hi(at) >> spare];
      });
      const signed = format.signed;
      wires.forEach((wire, lane) => {
        const { widthBits } = region.build.cell(wire);
        fields.push({ offsetBits: bits + lane * fed.widthBits, widthBits, signed });
      });
      inputs.push(fed);
      inputBits.push(fed.layout.lanes * fed.widthBits);
      bits += fed.layout.lanes * fed.widthBits;
      bound.push({ id, elements, wires, ...(twos && { twos }) });
    }
    for (const { id, elements, wires, twos } of bound) {
      const shifted = twos === undefined ? wires : this.#shiftBack(region, id, wires, twos);
      region.bind(id, elements, shifted);
    }
    for (const { value, kernel } of unit.members) {
      const local = this.#withoutSpread(kernel, value, size, largest, rows);
      region.add(value, local, quantArgs(this.#graph, value), size(value.id));
    }
    const constants = region.constantWords();
    let offset = bits;
    for (const wire of constants.wires) {
      const { widthBits, signed } = region.build.cell(wire);
      fields.push({ offsetBits: offset, widthBits, signed });
      offset += widthBits;
    }

    const results: Wire[] = [];
    const outputs: Field[] = [];
    const parts: Stream[] = [];
    let outputBits = 0;
    for (const id of unit.outputs) {
      const { format } = quantOf(getValue(this.#graph, id));
      const wires = region.wiresOf(id);
      if (rows === undefined && size(id) !== largest)
        throw new NotLocal(`${id} of ${size(id)} elements is also used by itself`);
      parts.push({
        from: { node: 0, port: 0 },
        layout:
          rows === undefined ? shape : { vectors: rows, vector: wires.length, lanes: wires.length },
        widthBits: format.width,
        fromBit: outputBits,
      });
      for (const wire of wires) {
        results.push(wire);
        outputs.push({
          offsetBits: outputBits,
          widthBits: format.width,
          signed: format.signed,
        });
        outputBits += format.width;
      }
    }
    // Inputs of the netlist are in the order in which they were made; so are the fields, up to the shifts.
    const netlist = region.build.netlist(results);
    const timing = scheduleStages(netlist, maxLevels, false);
    const name = this.#net.nextName(unit.members.at(-1)?.value.op ?? "shift");
    const order = this.#fieldOrder(
      bound.flatMap(({ wires }) => wires),
      constants.wires,
      fields,
    );
    const segment: PipelineSegment = {
      kind: "pipeline",
      name,
      netlist,
      timing,
      inputs: order,
      inputBits: offset,
      outputs,
      outputBits,
    };
    const words = constants.wires.length > 0 ? constants : undefined;
    if (words !== undefined)
      this.#net.memories.set(`${name}_constants.hex`, memoryImage(words.words, words.bits));
    const told = unit.members.map(({ value }) => value.op).join(", ");
    const node = this.#net.pipeline({
      name,
      title: `${told || "shift"} on ${geometry.lanes(largest)} lanes`,
      inputs: inputs.length,
      outputs: 1,
      segment,
      inputBits,
      ...(words && {
        constants: {
          file: `${name}_constants.hex`,
          words: words.words.length,
          widthBits: words.bits,
        },
      }),
    });
    inputs.forEach((stream, port) => {
      this.#net.connect(stream, { node, port });
    });
    const own = parts.map((part) => ({ ...part, from: { node, port: 0 } }));
    if (own.length <= 1) return own;
    return this.#net.forkParts(own[0], outputBits, own);
  }

  #fieldOrder(streams: readonly Wire[], words: readonly Wire[], fields: readonly Field[]): Field[] {
    return [...streams, ...words]
      .map((wire, at) => ({ wire, field: fields[at] }))
      .sort((a, b) => a.wire - b.wire)
      .map(({ field }) => field);
  }

  /** Rows that a region's reductions stay within; nothing where there are none. */
  #rowsOf(unit: RegionUnit): number | undefined {
    let rows: number | undefined;
    for (const { kernel } of unit.members) {
      if (kernel.kind !== "reduce") continue;
      rows = rows === undefined ? kernel.outer : greatestCommonDivisor(rows, kernel.outer);
    }
    return rows;
  }

  /** Lanes for elements that are worked on one by one: as the widest input has them, but no more than the rate needs. */
  #elementLayout(
    unit: RegionUnit,
    sources: ReadonlyMap<ValueId, Source>,
    elements: number,
    interval: number,
  ): Layout {
    let best: Layout | undefined;
    for (const id of unit.inputs) {
      const { layout } = (sources.get(id) as Source).stream;
      if (elementsOf(layout) !== elements) continue;
      const { vectors, vector } = layout;
      const lanes = Math.min(layout.lanes, lanesForRate(vectors, vector, interval));
      if (best === undefined || lanes > best.lanes) best = { vectors, vector, lanes };
    }
    return best ?? { vectors: 1, vector: elements, lanes: dividingLanes(elements, 1) };
  }

  /** A small value over and over, so that it meets every pixel. */
  #spread(unit: RegionUnit, id: ValueId, stream: Stream, shape: Layout, times: number): Stream {
    const own = elementsOf(stream.layout);
    if (shape.vector % own !== 0 || own % shape.lanes !== 0) {
      throw new NotLocal(
        `${id} of ${own} elements does not lie along the ${shape.vector} channels`,
      );
    }
    void unit;
    const beats = beatsOf(stream.layout);
    const node = this.#net.module("n2f_upsample", "spread", `${id}, ${times} times`, {
      WIDTH: stream.layout.lanes * stream.widthBits,
      W: 1,
      B: beats,
      FY: 1,
      FX: times,
      STYLE: 0,
    });
    this.#net.connect(stream, { node, port: 0 });
    return this.#net.output(
      node,
      { vectors: shape.vectors, vector: shape.vector, lanes: shape.lanes },
      stream.widthBits,
    );
  }

  /** The kernel for operands that have been spread to full size: they no longer need an index. */
  #withoutSpread(
    kernel: Kernel,
    value: OpValue,
    size: (id: ValueId) => number,
    largest: number,
    rows: number | undefined,
  ): Kernel {
    if (rows !== undefined || kernel.kind !== "binary") return kernel;
    const full = (operand: typeof kernel.a) => {
      const id = value.args[operand.arg];
      const own = size(id);
      const { index } = operand;
      if (index === undefined || own === largest || getValue(this.#graph, id).kind === "const")
        return operand;
      if (!index.every((from, i) => from === i % own)) return operand;
      return { arg: operand.arg, shift: operand.shift };
    };
    return { ...kernel, a: full(kernel.a), b: full(kernel.b) };
  }

  /** Puts the zeros back that an engine left out at the end of each column's codes. */
  #shiftBack(
    region: RegionBuilder,
    id: ValueId,
    wires: readonly Wire[],
    twos: readonly number[],
  ): Wire[] {
    const { build } = region;
    const value = getValue(this.#graph, id);
    build.from(value.origin);
    const { ranges } = quantOf(value);
    const elements = sizeOf(value.shape);
    const counts = region.constants(elements, (i) => BigInt(twos[i % twos.length]));
    const [least, most] = ranges.hull();
    const clip = (x: bigint) => (x < least ? least : x > most ? most : x);
    return wires.map((wire, lane) => {
      const count = build.cell(counts[lane]);
      if (count.net.kind === "const") return build.shiftLeft(wire, Number(count.lo));
      // Step by step: by 1, by 2, by 4, ... as the bits of the count say.
      let at = build.shiftLeft(wire, Number(count.lo));
      const rest = build.add(
        counts[lane],
        0,
        build.constant(count.lo),
        0,
        true,
        0n,
        count.hi - count.lo,
      );
      for (let bit = 0; 1n << BigInt(bit) <= count.hi - count.lo; bit++) {
        const condition = build.net(
          {
            kind: "requantize",
            a: rest,
            shift: bit,
            rounding: "TRN",
            overflow: "WRAP",
            signed: false,
            width: 1,
          },
          0n,
          1n,
        );
        const far = build.shiftLeft(at, 2 ** bit);
        const [ca, cf] = [build.cell(at), build.cell(far)];
        const lo = clip(ca.lo < cf.lo ? ca.lo : cf.lo);
        const hi = clip(ca.hi > cf.hi ? ca.hi : cf.hi);
        at = build.net({ kind: "choose", condition, a: far, b: at }, lo, hi);
      }
      return at;
    });
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
