import { assert } from "../../base/index.ts";
import { NetBuilder, type Wire } from "../../design/index.ts";
import { bitsFor } from "../../fixed/index.ts";
import { packWord } from "../../hwlib/index.ts";
import {
  type BinaryKernel,
  channelOf,
  type Kernel,
  type Operand,
  type OpValue,
  type QuantArg,
  type ReduceKernel,
  type ScaleKernel,
  type SlopeKernel,
  type TableKernel,
  type ThresholdKernel,
  type ValueId,
} from "../../ir/index.ts";
import { expandKernel } from "../expand.ts";
import type { Layout } from "./layout.ts";
import { beatsOf, elementAt, leastCommonMultiple } from "./layout.ts";

/** Which element of a value lies in which lane of which beat, for all values of a region. */
export interface Geometry {
  readonly beats: number;
  lanes(elements: number): number;
  /** -1: a filler. */
  element(elements: number, beat: number, lane: number): number;
  /** Beats after which what repeats every so many elements repeats in each lane. */
  period(elements: number, repeat: number): number;
}

/** Every value has the same elements, a vector in a beat or several. */
export function elementGeometry(layout: Layout): Geometry {
  const { vector, lanes } = layout;
  const beats = beatsOf(layout);
  return {
    beats,
    lanes: () => lanes,
    element: (_, beat, lane) => elementAt(layout, beat, lane),
    period: (_, repeat) =>
      Math.min(beats, vectorsPerRepeat(vector, repeat) * Math.ceil(vector / lanes)),
  };
}

/** Every beat has one of so many equal parts of each value. */
export function rowGeometry(rows: number): Geometry {
  return {
    beats: rows,
    lanes: (elements) => elements / rows,
    element: (elements, beat, lane) => (beat * elements) / rows + lane,
    period: (elements, repeat) => Math.min(rows, vectorsPerRepeat(elements / rows, repeat)),
  };
}

/** Vectors after which what repeats every so many elements begins with a vector again; without end where never. */
function vectorsPerRepeat(vector: number, repeat: number): number {
  if (vector % repeat === 0) return 1;
  return repeat % vector === 0 ? repeat / vector : Number.POSITIVE_INFINITY;
}

/** One lane of a constant: what it is in each beat; the codes come again after the last. */
interface Track {
  readonly wire: Wire;
  readonly codes: readonly bigint[];
}

/** A region cannot be cut into beats: an element depends on others that lie elsewhere. */
export class NotLocal extends Error {}

/**
 * Unrolls operators over the lanes of one beat. What is the same in every beat becomes logic; constants that
 * differ from beat to beat come from a word of constants that travels beside the beats.
 */
export class RegionBuilder {
  readonly build = new NetBuilder();
  readonly #geometry: Geometry;
  readonly #wires = new Map<ValueId, readonly Wire[]>();
  readonly #sizes = new Map<ValueId, number>();
  readonly #tracks = new Map<string, Track>();
  #place: Int32Array | undefined;

  constructor(geometry: Geometry) {
    this.#geometry = geometry;
  }

  /**
   * Lanes of a stream that comes in, each with the interval of all elements that pass there.
   *
   * @param repeat elements after which the intervals repeat
   * @param fed lanes that come in; every so many lanes of a beat are the same again
   */
  input(
    elements: number,
    range: (element: number) => readonly [bigint, bigint],
    repeat: number,
    fed = this.#geometry.lanes(elements),
  ): Wire[] {
    const beats = this.#geometry.period(elements, repeat);
    const lanes = this.#geometry.lanes(elements);
    return Array.from({ length: fed }, (_, first) => {
      let [lo, hi] = [0n, 0n];
      let isFirst = true;
      for (let at = 0; at < (beats * lanes) / fed; at++) {
        const beat = at % beats;
        const lane = first + Math.floor(at / beats) * fed;
        const element = this.#geometry.element(elements, beat, lane);
        if (element < 0) continue;
        const [low, high] = range(element);
        if (isFirst || low < lo) lo = low;
        if (isFirst || high > hi) hi = high;
        isFirst = false;
      }
      return this.build.input(lo, hi);
    });
  }

  bind(id: ValueId, elements: number, wires: readonly Wire[]): void {
    this.#wires.set(id, wires);
    this.#sizes.set(id, elements);
  }

  wiresOf(id: ValueId): readonly Wire[] {
    const wires = this.#wires.get(id);
    assert(wires !== undefined, `value ${id} is not in the region`);
    return wires;
  }

  /**
   * What is added from here on is a small value, repeated in this way beside a larger one.
   *
   * @param place for each element of the larger value the own one that it meets; absent: all are over and over
   */
  at(place: Int32Array | undefined): void {
    this.#place = place;
  }

  /**
   * The lanes of `code(element)` for a value of so many elements. Where the beats have more than those, the
   * value comes over and over beside a larger one.
   *
   * @param repeat elements after which the codes repeat
   */
  constants(elements: number, code: (element: number) => bigint, repeat: number): Wire[] {
    const place = this.#place;
    const { beats: all } = this.#geometry;
    const beats = place === undefined ? this.#geometry.period(elements, repeat) : all;
    return Array.from({ length: this.#geometry.lanes(elements) }, (_, lane) => {
      const codes: bigint[] = [];
      let known: bigint | undefined;
      let varies = false;
      for (let beat = 0; beat < beats; beat++) {
        const element = this.#geometry.element(elements, beat, lane);
        if (element < 0) {
          codes.push(known ?? 0n);
          continue;
        }
        const value = code(place?.[element] ?? element % elements);
        if (known !== undefined && value !== known) varies = true;
        known = value;
        codes.push(value);
      }
      return varies ? this.#track(codes) : this.build.constant(known ?? 0n);
    });
  }

  #track(all: readonly bigint[]): Wire {
    const codes = all.slice(0, periodOf([all], all.length));
    const key = codes.join();
    const known = this.#tracks.get(key);
    if (known !== undefined) return known.wire;
    const lo = codes.reduce((a, b) => (a < b ? a : b));
    const hi = codes.reduce((a, b) => (a > b ? a : b));
    const wire = this.build.input(lo, hi);
    this.#tracks.set(key, { wire, codes });
    return wire;
  }

  /** The words of constants, one for each beat until they come again. */
  constantWords(): {
    readonly wires: readonly Wire[];
    readonly words: readonly bigint[];
    readonly bits: number;
  } {
    const tracks = [...this.#tracks.values()];
    const wires = tracks.map(({ wire }) => wire);
    const period = periodOf(
      tracks.map(({ codes }) => codes),
      this.#geometry.beats,
    );
    const widths = wires.map((wire) => this.build.cell(wire).widthBits);
    const bits = widths.reduce((sum, width) => sum + width, 0);
    const words = Array.from({ length: period }, (_, beat) => {
      let word = 0n;
      for (let t = tracks.length - 1; t >= 0; t--)
        word =
          (word << BigInt(widths[t])) |
          packWord([tracks[t].codes[beat % tracks[t].codes.length]], widths[t]);
      return word;
    });
    return { wires, words, bits };
  }

  /** Adds an operator whose varying arguments are in the region. */
  add(value: OpValue, kernel: Kernel, args: readonly QuantArg[], elements: number): void {
    this.build.from(value.origin);
    this.bind(value.id, elements, this.#expand(value, kernel, args, elements));
  }

  #expand(
    value: OpValue,
    kernel: Kernel,
    args: readonly QuantArg[],
    elements: number,
  ): readonly Wire[] {
    const sizes = args.map(({ shape }) => shape.reduce((a, b) => a * b, 1));
    if (this.#geometry.beats === 1) {
      const wires = value.args.map((id, at) => {
        const own = this.#whole(id, args[at]);
        return kernel.kind === "table" ? own.map((wire) => this.#within(wire, kernel)) : own;
      });
      return expandKernel(this.build, kernel, wires, elements);
    }
    const side = (arg: number, index?: Int32Array) =>
      this.#operand(value.args[arg], args[arg], sizes[arg], elements, index);
    switch (kernel.kind) {
      case "binary":
        return this.#binary(kernel, side, elements);
      case "table":
        return expandKernel(
          this.build,
          kernel,
          [side(0).map((wire) => this.#within(wire, kernel))],
          this.#geometry.lanes(elements),
        );
      case "clamp":
      case "requantize":
        return expandKernel(this.build, kernel, [side(0)], this.#geometry.lanes(elements));
      case "gather":
        if (kernel.source?.some((source) => source !== 0))
          throw new NotLocal(`${value.id} joins several values`);
        return side(0, kernel.index);
      case "slope":
        return this.#slope(kernel, side(0), elements);
      case "scale":
        return this.#scale(kernel, side(0), elements);
      case "threshold":
        return this.#threshold(kernel, side(0), elements);
      case "reduce":
        return this.#reduce(kernel, value.args[0], sizes[0], elements);
      default:
        throw new NotLocal(`${kernel.kind} is no operator on lanes`);
    }
  }

  /**
   * A table's argument, which is proven to lie in the table element by element; the interval of a lane, which
   * knows less of what belongs together, may be wider.
   */
  #within(wire: Wire, { lo: first, values }: TableKernel): Wire {
    const cell = this.build.cell(wire);
    const last = BigInt(first + values.length - 1);
    const lo = cell.lo < BigInt(first) ? BigInt(first) : cell.lo;
    const hi = cell.hi > last ? last : cell.hi;
    if (lo === cell.lo && hi === cell.hi) return wire;
    const { signed, width } = bitsFor(lo, hi);
    const shape = { shift: 0, rounding: "TRN", overflow: "WRAP", signed, width } as const;
    return this.build.net({ kind: "requantize", a: wire, ...shape }, lo, hi);
  }

  #whole(id: ValueId, arg: QuantArg): readonly Wire[] {
    const wires = this.#wires.get(id);
    if (wires !== undefined) return wires;
    assert(arg.data !== undefined, `value ${id} is not in the region`);
    return Array.from(arg.data.data, (code) => this.build.constant(BigInt(code)));
  }

  /** The lanes of one operand, whose element `index[i]` (or i) meets element i of the result. */
  #operand(
    id: ValueId,
    arg: QuantArg,
    size: number,
    elements: number,
    index: Int32Array | undefined,
  ): readonly Wire[] {
    const wires = this.#wires.get(id);
    if (wires === undefined) {
      assert(arg.data !== undefined, `value ${id} is not in the region`);
      const { data } = arg.data;
      const repeat = isCyclic(index, size) ? size : elements;
      return this.constants(elements, (i) => BigInt(data[index?.[i] ?? i]), repeat);
    }
    if (index === undefined) return wires;
    const { beats, lanes, element } = this.#geometry;
    const from = lanes(size);
    return Array.from({ length: lanes(elements) }, (_, lane) => {
      let found = -1;
      for (let beat = 0; beat < beats; beat++) {
        const at = element(elements, beat, lane);
        if (at < 0) continue;
        const wanted = index[at];
        if (found < 0) {
          for (let l = 0; l < from && found < 0; l++)
            if (element(size, beat, l) === wanted) found = l;
        }
        if (found < 0 || element(size, beat, found) !== wanted)
          throw new NotLocal(`element ${at} needs element ${wanted} of ${id}`);
      }
      return wires[found];
    });
  }

  #binary(
    { fn, a, b }: BinaryKernel,
    side: (arg: number, index?: Int32Array) => readonly Wire[],
    elements: number,
  ): Wire[] {
    const [left, right] = [side(a.arg, a.index), side(b.arg, b.index)];
    const operand = (arg: number, { shift }: Operand): Operand => ({ arg, shift });
    const local: BinaryKernel = { kind: "binary", fn, a: operand(0, a), b: operand(1, b) };
    return expandKernel(this.build, local, [left, right], this.#geometry.lanes(elements));
  }

  #slope(kernel: SlopeKernel, x: readonly Wire[], elements: number): Wire[] {
    const { slope, shift } = kernel;
    if (slope.length === 1)
      return expandKernel(this.build, kernel, [x], this.#geometry.lanes(elements));
    const factors = this.constants(elements, (i) => BigInt(slope[i]), slope.length);
    const zero = this.build.constant(0n);
    return x.map((wire, lane) => {
      const factor = this.build.cell(factors[lane]);
      if (factor.net.kind === "const") {
        const one = { ...kernel, slope: Float64Array.of(Number(factor.lo)) };
        return expandKernel(this.build, one, [[wire]], 1)[0];
      }
      const product: BinaryKernel = {
        kind: "binary",
        fn: "mul",
        a: { arg: 0, shift: 0 },
        b: { arg: 1, shift: 0 },
      };
      const [below] = expandKernel(this.build, product, [[wire], [factors[lane]]], 1);
      const above = this.build.shiftLeft(wire, shift);
      const [cb, ca] = [this.build.cell(below), this.build.cell(above)];
      const condition = this.build.net(
        { kind: "greater", a: zero, b: wire, orEqual: false },
        0n,
        1n,
      );
      return this.build.net(
        { kind: "choose", condition, a: below, b: above },
        cb.lo < ca.lo ? cb.lo : ca.lo,
        cb.hi > ca.hi ? cb.hi : ca.hi,
      );
    });
  }

  /** A reduction of each row by itself. */
  #reduce(kernel: ReduceKernel, id: ValueId, size: number, elements: number): Wire[] {
    const { length, inner } = kernel;
    const results = this.#geometry.lanes(elements);
    const own = this.#geometry.lanes(size);
    if (own !== results * length) throw new NotLocal(`a sum of ${length} is not within a beat`);
    const x = this.wiresOf(id);
    const local: ReduceKernel = { ...kernel, outer: results / inner };
    if (!Number.isInteger(local.outer)) throw new NotLocal("a reduction goes beyond a beat");
    return expandKernel(this.build, local, [x], results);
  }

  /** A factor and an addend for each lane; from the word of constants where channels take turns in a lane. */
  #scale(kernel: ScaleKernel, x: readonly Wire[], elements: number): Wire[] {
    const { m, a, shift, rounding, lo, hi, offset } = kernel;
    const repeat = kernel.channels * kernel.inner;
    const factors = this.constants(elements, (i) => BigInt(m[channelOf(kernel, i)]), repeat);
    const addends = this.constants(elements, (i) => BigInt(a[channelOf(kernel, i)]), repeat);
    const plain = (arg: number): Operand => ({ arg, shift: 0 });
    const one = (word: Kernel, ...args: Wire[]) =>
      expandKernel(
        this.build,
        word,
        args.map((wire) => [wire]),
        1,
      )[0];
    const binary = (fn: "add" | "mul", left: Wire, right: Wire) =>
      one({ kind: "binary", fn, a: plain(0), b: plain(1) }, left, right);
    return x.map((wire, lane) => {
      const [factor, addend] = [factors[lane], addends[lane]];
      const [cf, ca] = [this.build.cell(factor), this.build.cell(addend)];
      if (cf.net.kind === "const" && ca.net.kind === "const") {
        const single = { channels: 1, inner: 1 };
        const own = { m: Float64Array.of(Number(cf.lo)), a: Float64Array.of(Number(ca.lo)) };
        return one({ ...kernel, ...single, ...own }, wire);
      }
      const sum = binary("add", binary("mul", wire, factor), addend);
      const drop = { shift, rounding, overflow: "SAT", signed: true, width: 64 } as const;
      const dropped = one({ kind: "requantize", ...drop }, sum);
      const bounded = one({ kind: "clamp", lo, hi }, dropped);
      return offset === 0n ? bounded : binary("add", bounded, this.build.constant(offset));
    });
  }

  #threshold(kernel: ThresholdKernel, x: readonly Wire[], elements: number): Wire[] {
    const each = (code: (channel: number) => bigint) =>
      this.constants(elements, (i) => code(channelOf(kernel, i)), kernel.channels * kernel.inner);
    const channels = each(BigInt);
    const bases = each((c) => BigInt(kernel.base[c]));
    const falls = each((c) => (kernel.falls[c] ? 1n : 0n));
    return x.map((wire, lane) => {
      const channel = this.build.cell(channels[lane]);
      if (channel.net.kind === "const") {
        const c = Number(channel.lo);
        const { count } = kernel;
        const own: ThresholdKernel = {
          ...kernel,
          channels: 1,
          inner: 1,
          thresholds: kernel.thresholds.subarray(c * count, (c + 1) * count),
          base: kernel.base.subarray(c, c + 1),
          falls: [kernel.falls[c]],
        };
        return expandKernel(this.build, own, [[wire]], 1)[0];
      }
      return this.#searchThresholds(kernel, wire, channels[lane], bases[lane], falls[lane]);
    });
  }

  /**
   * The number of thresholds reached, from its highest bit down; which ones they are is said by the channel
   * that is in the lane and by the bits before.
   */
  #searchThresholds(
    { thresholds, count, channels }: ThresholdKernel,
    x: Wire,
    channel: Wire,
    base: Wire,
    falls: Wire,
  ): Wire {
    const { build } = this;
    const fall = build.cell(falls);
    const u =
      fall.hi === 0n
        ? x
        : fall.lo === 1n
          ? build.negate(x)
          : this.#choose(falls, build.negate(x), x);
    const beyond = build.cell(u).hi + 1n;
    const first = Number(build.cell(channel).lo);
    const last = Number(build.cell(channel).hi);
    assert(last < channels, `channel ${last} of ${channels}`);
    const levels = Math.ceil(Math.log2(count + 1));
    let reached: Wire | undefined;
    for (let level = 0; level < levels; level++) {
      const half = 2 ** (levels - level - 1);
      const ways = 2 ** level;
      const values = Float64Array.from({ length: (last - first + 1) * ways }, (_, at) => {
        const c = first + Math.floor(at / ways);
        const i = (2 * (at % ways) + 1) * half - 1;
        const limit = i < count ? thresholds[c * count + i] : beyond;
        return Number(limit > beyond ? beyond : limit);
      });
      const lo = first * ways;
      const index =
        reached === undefined
          ? channel
          : build.add(channel, level, reached, 0, false, BigInt(lo), BigInt((last + 1) * ways - 1));
      const [limit] = expandKernel(build, { kind: "table", lo, values }, [[index]], 1);
      const bit = build.net({ kind: "greater", a: u, b: limit, orEqual: true }, 0n, 1n);
      reached =
        reached === undefined
          ? bit
          : build.add(reached, 1, bit, 0, false, 0n, 2n ** BigInt(level + 1) - 1n);
    }
    const counted = reached ?? build.constant(0n);
    const [cb, cc] = [build.cell(base), build.cell(counted)];
    return build.add(counted, 0, base, 0, false, cb.lo, cb.hi + cc.hi);
  }

  #choose(condition: Wire, a: Wire, b: Wire): Wire {
    const [ca, cb] = [this.build.cell(a), this.build.cell(b)];
    const lo = ca.lo < cb.lo ? ca.lo : cb.lo;
    const hi = ca.hi > cb.hi ? ca.hi : cb.hi;
    return this.build.net({ kind: "choose", condition, a, b }, lo, hi);
  }
}

/** Beats after which all of the codes come again; it divides `beats`. */
function periodOf(tracks: readonly (readonly bigint[])[], beats: number): number {
  const length = tracks.reduce((a, { length: b }) => leastCommonMultiple(a, b), 1);
  const longest = beats % length === 0 ? length : beats;
  const isPeriod = (period: number) =>
    tracks.every((codes) => {
      if (period % codes.length === 0) return true;
      for (let beat = period; beat < longest; beat++)
        if (codes[beat % codes.length] !== codes[(beat % period) % codes.length]) return false;
      return true;
    });
  for (let period = 1; period < longest; period++)
    if (longest % period === 0 && isPeriod(period)) return period;
  return longest;
}

/** Whether an operand of so many elements comes over and over; without an index it does not. */
function isCyclic(index: Int32Array | undefined, size: number): boolean {
  return (index ?? Int32Array.of(-1)).every((from, i) => from === i % size);
}
