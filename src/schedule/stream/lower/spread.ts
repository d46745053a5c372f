import {
  getValue,
  type Kernel,
  type Operand,
  type OpValue,
  type ValueId,
} from "../../../ir/index.ts";
import type { Layout } from "../layout.ts";
import type { Stream } from "../network-builder.ts";
import { NotLocal } from "../region.ts";
import type { RegionUnit } from "../units.ts";
import { type Context, lutRamBits } from "./context.ts";

/*
 * Operands that are smaller than what they meet: a bias along the channels, the greatest number of each row of
 * a softmax. They are repeated, so that a beat of them meets each beat of the larger operand.
 */

/**
 * How a small value is repeated: element ((h * W + w) * inner + b) stands at
 * ((((h * FY + fy) * W + w) * FX + fx) * inner + b) for all fy < FY and fx < FX.
 */
export interface Repetition {
  readonly inner: number;
  readonly FX: number;
  readonly W: number;
  readonly FY: number;
}

/** How a value that is smaller than the largest of its region lies beside those. */
export interface Spread {
  /** For each element of a largest value the own one that it meets. */
  readonly place: Int32Array;
  /** The same, where the value is not just over and over. */
  readonly scattered?: Int32Array;
  readonly repetition: Repetition;
}

/**
 * The small values of a region, found by following its operators backwards from the results.
 *
 * @throws NotLocal for a small value that is also a result, is needed in two orders, or is not just repeated
 */
export function spreadsOf(
  context: Context,
  unit: RegionUnit,
  largest: number,
  size: (id: ValueId) => number,
): ReadonlyMap<ValueId, Spread> {
  const spreads = new Map<ValueId, Spread>();
  for (const id of unit.outputs) {
    if (size(id) !== largest)
      throw new NotLocal(`${id} of ${size(id)} elements is also used by itself`);
  }
  for (const { value, kernel } of [...unit.members].reverse()) {
    const own = spreads.get(value.id)?.place;
    if (own === undefined && size(value.id) !== largest) continue;
    const operands: readonly Operand[] =
      kernel.kind === "binary" ? [kernel.a, kernel.b] : [{ arg: 0, shift: 0 }];
    for (const { arg, index } of operands) {
      const id = value.args[arg];
      if (size(id) === largest || getValue(context.graph, id).kind === "const") continue;
      const place = Int32Array.from({ length: largest }, (_, i) => {
        const at = own?.[i] ?? i;
        return index?.[at] ?? at;
      });
      const known = spreads.get(id)?.place;
      if (known?.every((from, i) => from === place[i]) === false)
        throw new NotLocal(`${id} meets other values in two orders`);
      const repetition = repetitionOf(place, size(id));
      if (repetition === undefined)
        throw new NotLocal(`${id} of ${size(id)} elements is not repeated in equal runs`);
      const { W, FY, inner } = repetition;
      const isOver = W * FY === 1 && inner === size(id);
      spreads.set(id, { place, repetition, ...(!isOver && { scattered: place }) });
    }
  }
  return spreads;
}

/** The repetition that a place is; nothing where it is none. */
export function repetitionOf(place: Int32Array, own: number): Repetition | undefined {
  const full = place.length;
  let inner = 0;
  while (inner < own && place[inner] === inner) inner++;
  if (inner === 0 || own % inner !== 0) return undefined;
  let FX = 1;
  while (FX * inner < full && place[FX * inner] === 0) FX++;
  if (inner === own) FX = full / own;
  let W = 1;
  while (W * inner < own && place[W * FX * inner] === W * inner) W++;
  const row = W * FX * inner;
  let FY = 1;
  while (FY * row < full && place[FY * row] === 0) FY++;
  const isSuch = place.every((from, i) => {
    const block = Math.floor(i / inner / FX);
    const [line, w] = [Math.floor(block / W), block % W];
    return from === (Math.floor(line / FY) * W + w) * inner + (i % inner);
  });
  return isSuch ? { inner, FX, W, FY } : undefined;
}

/** Whether beats of so many lanes of vectors can be made by repeating beats of each small value. */
export function fitsAll(spreads: Iterable<Spread>, vector: number, lanes: number): boolean {
  if (vector % lanes !== 0) return false;
  for (const { repetition } of spreads) {
    const { inner, FX } = repetition;
    const fits = inner % lanes === 0 || (lanes % inner === 0 && (FX * inner) % lanes === 0);
    if (!fits) return false;
  }
  return true;
}

/** The stream of a small value in which each beat meets one of `shape`; of at most `inner` lanes. */
export function spreadOver(
  context: Context,
  id: ValueId,
  source: Stream,
  shape: Layout,
  { inner, FX, W, FY }: Repetition,
  own: number,
): Stream {
  const lanes = Math.min(inner, shape.lanes);
  const stream = context.net.convert(source, own, lanes);
  const B = inner / lanes;
  const copies = (FX * lanes) / shape.lanes;
  const width = lanes * stream.widthBits;
  const node = context.net.module("n2f_upsample", "spread", `${id}, ${FX * FY} times`, {
    WIDTH: width,
    W,
    B,
    FY,
    FX: copies,
    STYLE: FY > 1 && W * B * width > lutRamBits ? 1 : 0,
  });
  context.net.connect(stream, { node, port: 0 });
  const beats = (shape.vectors * shape.vector) / shape.lanes;
  return context.net.output(node, { vectors: beats, vector: lanes, lanes }, stream.widthBits);
}

/** The kernel for operands that have been spread to full size: they no longer need an index. */
export function withoutSpread(
  kernel: Kernel,
  value: OpValue,
  spread: ReadonlyMap<ValueId, Spread>,
): Kernel {
  if (kernel.kind !== "binary") return kernel;
  const full = (operand: Operand) =>
    spread.has(value.args[operand.arg]) ? { arg: operand.arg, shift: operand.shift } : operand;
  return { ...kernel, a: full(kernel.a), b: full(kernel.b) };
}
