import {
  forEachWeightRow,
  type Graph,
  getValue,
  isProduct,
  type OpValue,
  quantOf,
  type ValueId,
  weightMatrices,
} from "../ir/index.ts";
import { sizeOf } from "../tensor/index.ts";

/** A product of an inference: what is multiplied with what, and how often. */
export interface Product {
  readonly macs: number;
  readonly sides: readonly [ValueId, ValueId];
}

/** The multiply-accumulates of a product; nothing for any other value. */
export function productOf(graph: Graph, value: OpValue): Product | undefined {
  if (!isProduct(value.op)) return undefined;
  const [a, b] = value.args.map((id) => getValue(graph, id));
  const rows = weightMatrices(value.op, b.shape)?.rows ?? a.shape.at(-1) ?? 1;
  return { macs: sizeOf(value.shape) * rows, sides: [a.id, b.id] };
}

/** One product's part in the cost of a network. */
export interface ProductCost extends Product {
  readonly value: OpValue;
  readonly widthBits: readonly [number, number];
  readonly bitOperations: number;
}

/**
 * Bit operations: for each multiply-accumulate the product of both widths, the measure of the quantization
 * literature; the logic of a multiplier grows with it in all architectures. Weights count with the bits
 * that their columns need on average, since columns of coarser points end in zeros.
 */
export function productCosts(graph: Graph): ProductCost[] {
  return [...graph.values.values()].flatMap((value): ProductCost[] => {
    if (value.kind !== "op") return [];
    const product = productOf(graph, value);
    if (product === undefined) return [];
    const [a, b] = product.sides.map((side) => widthOf(graph, side, value.op));
    return [{ ...product, value, widthBits: [a, b], bitOperations: product.macs * a * b }];
  });
}

function widthOf(graph: Graph, id: ValueId, product: string): number {
  const value = getValue(graph, id);
  const { format } = quantOf(value);
  const matrices = value.kind === "const" ? weightMatrices(product, value.shape) : undefined;
  if (value.kind !== "const" || matrices === undefined) return format.width;
  const { data } = value.data;
  const columns = matrices.groups * matrices.columns;
  const [greatest, twos] = [new Float64Array(columns), new Float64Array(columns).fill(64)];
  const isSigned = new Uint8Array(columns);
  forEachWeightRow(matrices, (first, column) => {
    for (let n = 0; n < matrices.columns; n++) {
      const code = data[first + n];
      if (code === 0) continue;
      const at = column + n;
      greatest[at] = Math.max(greatest[at], code < 0 ? -code - 1 : code);
      if (code < 0) isSigned[at] = 1;
      twos[at] = Math.min(twos[at], twosOf(code));
    }
  });
  let sum = 0;
  for (let column = 0; column < columns; column++) {
    if (twos[column] === 64) continue; // a column of zeros costs nothing
    const own = Math.floor(Math.log2(Math.max(greatest[column], 1))) + 1;
    sum += Math.max(1, own - twos[column] + isSigned[column]);
  }
  return sum / columns;
}

/** How often a code can be halved. */
function twosOf(code: number): number {
  let twos = 0;
  for (let rest = Math.abs(code); rest % 2 === 0; rest /= 2) twos++;
  return twos;
}
