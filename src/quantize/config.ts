import type { Precision } from "../fixed/index.ts";

/**
 * What the user asks of a value's precision: a full format, only a width (the binary point is then
 * calibrated), or the exact result.
 */
export type PrecisionRequest =
  | { readonly kind: "format"; readonly precision: Precision }
  | { readonly kind: "width"; readonly widthBits: number }
  | { readonly kind: "exact" };

/** Precisions of one layer; what is absent follows the default. */
export interface LayerPrecision {
  readonly weight?: PrecisionRequest;
  readonly bias?: PrecisionRequest;
  readonly result?: PrecisionRequest;
}

export type CalibrationMethod = "minmax" | "percentile" | "mse";

export interface QuantizeOptions {
  readonly default: PrecisionRequest;
  /** Inputs and outputs of the graph follow the default where these are absent. */
  readonly input?: PrecisionRequest;
  readonly output?: PrecisionRequest;
  /** By node name or value name of the user's model. */
  readonly layers: ReadonlyMap<string, LayerPrecision>;
  readonly method: CalibrationMethod;
  /** Share of the values that must not saturate, in percent; for the method `percentile`. */
  readonly percentile: number;
  /** Address bits of tables; their argument is narrowed to at most that many. */
  readonly tableBits: number;
}

/** 16 bits with calibrated binary points; tables of 2^11 entries, which is one block RAM of 18 bits. */
export const defaultQuantizeOptions: QuantizeOptions = {
  default: { kind: "width", widthBits: 16 },
  layers: new Map(),
  method: "minmax",
  percentile: 99.9,
  tableBits: 11,
};
