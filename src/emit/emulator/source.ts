import type { Coefficient } from "./coefficient.ts";
import type { Interval } from "./interval.ts";
import { addressOf, elementBytes, type Stored } from "./layout.ts";
import { constantVec, type Lane, loadVec, makeVec, storeVec, type Vec, vecBytes } from "./vec.ts";
import { columnPlace, type Place, type Places, type Stream } from "./walk.ts";
import { type FunctionBuilder, v128 } from "./wasm/index.ts";

/** From where a loop takes an operand: a constant, or a value in memory, element by element. */
export type Source = Coefficient | StoredStream;

/** The elements of a value in memory, in the order in which a loop comes to them. */
export interface StoredStream extends Stream {
  readonly kind: "stored";
  readonly lane: Lane;
  readonly interval: Interval;
}

export function storedStream(
  stored: Stored,
  stride: number,
  index: Int32Array,
  columnStride = 0,
): StoredStream {
  const { lane } = stored.buffer;
  return {
    kind: "stored",
    lane,
    interval: stored.interval,
    address: addressOf(stored, stride),
    elementBytes: elementBytes(lane, stride),
    index,
    columnStride,
  };
}

/** What a walk must follow so that all sources can be read. */
export function streamsOf(sources: readonly Source[]): Stream[] {
  return sources.filter((source) => source.kind !== "uniform");
}

/** Gives the operand of vector v of the samples. */
export type Reader = (v: number) => Vec;

/** Prepares to read a source where a walk stands, `column` columns further on. */
export function openSource(f: FunctionBuilder, source: Source, places: Places, column = 0): Reader {
  if (source.kind === "uniform") {
    const vec = constantVec(source.value);
    return () => vec;
  }
  const { pointer, offset } = placeOf(f, source, places, column);
  const { lane, interval } = source;
  if (source.kind === "stored") {
    return (v) => loadVec(f, pointer, offset + v * vecBytes(lane), lane, interval);
  }
  const load = lane === 32 ? v128.load32Splat : v128.load64Splat;
  const splat = f.bind(load(pointer, offset));
  const vec = makeVec(lane, lane === 32 ? [splat] : [splat, splat], interval);
  return () => vec;
}

/** Stores vector v of an element. */
export function storeTo(
  f: FunctionBuilder,
  target: StoredStream,
  places: Places,
  v: number,
  vec: Vec,
  column = 0,
): void {
  const { pointer, offset } = placeOf(f, target, places, column);
  storeVec(f, pointer, offset + v * vecBytes(target.lane), vec, target.lane);
}

export function placeOf(f: FunctionBuilder, stream: Stream, places: Places, column = 0): Place {
  const place = places.get(stream);
  if (place === undefined) throw new Error("a stream was left out of its walk");
  return columnPlace(f, stream, place, column);
}
