import type { Places, Stream } from "./walk.ts";
import type { FunctionBuilder, Local } from "./wasm/index.ts";

/** The registers of a tile's sums, by column and vector of samples. */
export type Sums = readonly (readonly (readonly Local<"v128">[])[])[];

/** The part of a product that multiplies and adds. */
export interface Accumulation {
  /** What its code follows from row to row. */
  readonly streams: readonly Stream[];
  /** 128-bit registers that one column of one vector keeps in the innermost loop. */
  readonly registers: number;
  /** Prepares a row. */
  openRow(f: FunctionBuilder, places: Places, vectors: number): void;
  /** Adds the products of a tile to its sums. */
  accumulate(f: FunctionBuilder, sums: Sums, places: Places): void;
}
