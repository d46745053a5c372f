import type { DataPool } from "./data-pool.ts";
import { type Nest, nestOf } from "./nest.ts";
import { type FunctionBuilder, i32, type Local } from "./wasm/index.ts";

/** A sequence of addresses: address + index * elementBytes, one for each step of a walk. */
export interface Stream {
  readonly address: number;
  readonly index: Int32Array;
  readonly elementBytes: number;
  /** Elements from one column to the next, where a step of the walk is a row with columns. */
  readonly columnStride: number;
}

/** A place in memory: a pointer and a constant distance from it. */
export interface Place {
  readonly pointer: Local<"i32">;
  readonly offset: number;
}

/** Where each stream stands at some moment. */
export type Places = ReadonlyMap<Stream, Place>;

/** Loops over several streams at once, ready to be written as often as needed. */
export interface Walk {
  readonly nest: Nest;
  readonly pointers: readonly Pointer[];
  /** Which pointer serves each stream, and at what distance. */
  readonly places: ReadonlyMap<Stream, { readonly pointer: number; readonly offset: number }>;
  /** Address of the pointers' values for each turn of the irregular loop. */
  readonly table: number;
}

interface Pointer {
  /** Its value at the start of each turn of the irregular loop. */
  readonly starts: Float64Array;
  /** Bytes per step of each loop. */
  readonly strides: readonly number[];
}

/** Streams that move alike share a pointer. */
export function planWalk(pool: DataPool, size: number, streams: readonly Stream[]): Walk {
  const nest = nestOf(
    size,
    streams.map((stream) => stream.index),
  );
  const moves = streams.map(
    ({ address, elementBytes }, s): Pointer => ({
      starts: Float64Array.from(nest.starts[s], (i) => address + i * elementBytes),
      strides: nest.dims.map((dim) => dim.strides[s] * elementBytes),
    }),
  );
  const groups: number[][] = [];
  moves.forEach((move, s) => {
    const group = groups.find(([leader]) => moveAlike(moves[leader], move));
    if (group === undefined) groups.push([s]);
    else group.push(s);
  });
  const places = new Map<Stream, { pointer: number; offset: number }>();
  const pointers = groups.map((group, pointer) => {
    const first = group.reduce((a, b) => (moves[b].starts[0] < moves[a].starts[0] ? b : a));
    for (const s of group) {
      places.set(streams[s], { pointer, offset: moves[s].starts[0] - moves[first].starts[0] });
    }
    return moves[first];
  });
  return { nest, pointers, places, table: addTable(pool, pointers) };
}

function moveAlike(a: Pointer, b: Pointer): boolean {
  const distance = b.starts[0] - a.starts[0];
  return (
    a.strides.every((stride, i) => stride === b.strides[i]) &&
    a.starts.every((start, i) => b.starts[i] - start === distance)
  );
}

function addTable(pool: DataPool, pointers: readonly Pointer[]): number {
  const turns = pointers[0].starts.length;
  if (turns === 1) return 0;
  const table = new Uint32Array(turns * pointers.length);
  pointers.forEach(({ starts }, p) => {
    for (let i = 0; i < turns; i++) table[i * pointers.length + p] = starts[i];
  });
  return pool.add(new Uint8Array(table.buffer));
}

/** Writes the loops around a body. */
export function emitWalk(
  f: FunctionBuilder,
  { nest, pointers, places, table }: Walk,
  body: (places: Places) => void,
): void {
  f.scope(() => {
    const locals = pointers.map(() => f.local("i32"));
    const at = new Map<Stream, Place>();
    for (const [stream, { pointer, offset }] of places) {
      at.set(stream, { pointer: locals[pointer], offset });
    }
    const loop = (level: number): void => {
      if (level === nest.dims.length) {
        f.scope(() => body(at));
        return;
      }
      f.repeat(nest.dims[level].count, () => {
        loop(level + 1);
        const inner = nest.dims[level + 1];
        pointers.forEach(({ strides }, p) => {
          const moved = inner === undefined ? 0 : inner.count * strides[level + 1];
          f.advance(locals[p], strides[level] - moved);
        });
      });
    };
    const turns = pointers[0].starts.length;
    if (turns === 1) {
      pointers.forEach(({ starts }, p) => {
        f.set(locals[p], i32.const(starts[0]));
      });
      loop(0);
      return;
    }
    const row = f.bind(i32.const(table));
    f.repeat(turns, () => {
      locals.forEach((local, p) => {
        f.set(local, i32.load(row, 4 * p));
      });
      loop(0);
      f.advance(row, 4 * pointers.length);
    });
  });
}

/**
 * Writes a body for tiles of a row's columns: a loop for the full ones, once more for the rest. The body
 * gets the places of the tile's first column.
 */
export function emitTiles(
  f: FunctionBuilder,
  columns: number,
  tile: number,
  places: Places,
  body: (width: number, places: Places) => void,
): void {
  const full = Math.floor(columns / tile);
  const rest = columns % tile;
  if (columns <= tile) {
    f.scope(() => body(columns, places));
    return;
  }
  f.scope(() => {
    const shared = new Map<string, { local: Local<"i32">; advance: number }>();
    const moving = new Map<Stream, Place>();
    for (const [stream, { pointer, offset }] of places) {
      const bytes = stream.columnStride * stream.elementBytes;
      if (bytes === 0) {
        moving.set(stream, { pointer, offset });
        continue;
      }
      if (bytes < 0) {
        // Moves down: a pointer that others share could pass below zero.
        const local = f.bind(i32.add(pointer, i32.const(offset)));
        shared.set(`${pointer.index} ${offset} ${bytes}`, { local, advance: tile * bytes });
        moving.set(stream, { pointer: local, offset: 0 });
        continue;
      }
      // Places that began on one pointer and move alike stay on one.
      const key = `${pointer.index} ${bytes}`;
      const { local } = shared.get(key) ?? { local: f.bind(pointer) };
      shared.set(key, { local, advance: tile * bytes });
      moving.set(stream, { pointer: local, offset });
    }
    f.repeat(full, () => {
      body(tile, moving);
      for (const { local, advance } of shared.values()) f.advance(local, advance);
    });
    if (rest > 0) f.scope(() => body(rest, moving));
  });
}

/** The place some columns further on. */
export function columnPlace(
  f: FunctionBuilder,
  stream: Stream,
  { pointer, offset }: Place,
  column: number,
): Place {
  const moved = offset + column * stream.columnStride * stream.elementBytes;
  // Memory instructions take no negative offsets.
  if (moved < 0) return { pointer: f.bind(i32.add(pointer, i32.const(moved))), offset: 0 };
  return { pointer, offset: moved };
}
