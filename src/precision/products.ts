import {
  type Graph,
  getValue,
  type OpValue,
  primitiveOf,
  quantArgs,
  quantOf,
  type Registry,
  type ValueId,
} from "../ir/index.ts";

/** A product of an inference: what is multiplied with what, and how often. */
export interface Product {
  readonly macs: number;
  readonly sides: readonly [ValueId, ValueId];
}

/** The multiply-accumulates of a matrix product; nothing for any other value. */
export function productOf(graph: Graph, value: OpValue, ops: Registry): Product | undefined {
  const kernel = primitiveOf(ops, value.op).kernel(
    quantArgs(graph, value),
    value.attrs,
    quantOf(value),
  );
  if (kernel.kind !== "matmul") return undefined;
  const { groups, m, k, n } = kernel;
  return { macs: groups * m * k * n, sides: [value.args[0], value.args[1]] };
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
export function productCosts(graph: Graph, ops: Registry): ProductCost[] {
  return [...graph.values.values()].flatMap((value): ProductCost[] => {
    if (value.kind !== "op") return [];
    const product = productOf(graph, value, ops);
    if (product === undefined) return [];
    const [a, b] = product.sides.map((side) => widthOf(graph, side));
    return [{ ...product, value, widthBits: [a, b], bitOperations: product.macs * a * b }];
  });
}

function widthOf(graph: Graph, id: ValueId): number {
  const value = getValue(graph, id);
  const { format } = quantOf(value);
  if (value.kind !== "const") return format.width;
  const columns = value.shape.at(-1) ?? 1;
  const { data } = value.data;
  const [magnitudes, bits, signs] = [
    new Float64Array(columns),
    new Float64Array(columns),
    new Uint8Array(columns),
  ];
  bits.fill(64);
  for (
    let i = 0, column = 0;
    i < data.length;
    i++, column = column + 1 === columns ? 0 : column + 1
  ) {
    const code = data[i];
    if (code === 0) continue;
    magnitudes[column] = Math.max(magnitudes[column], code < 0 ? -code - 1 : code);
    if (code < 0) signs[column] = 1;
    bits[column] = Math.min(bits[column], twosOf(code));
  }
  let sum = 0;
  for (let column = 0; column < columns; column++) {
    if (bits[column] === 64) continue; // a column of zeros costs nothing
    const own = Math.floor(Math.log2(Math.max(magnitudes[column], 1))) + 1;
    sum += Math.max(1, own - bits[column] + signs[column]);
  }
  return sum / columns;
}

/** How often a code can be halved. */
function twosOf(code: number): number {
  let twos = 0;
  for (let rest = Math.abs(code); rest % 2 === 0; rest /= 2) twos++;
  return twos;
}
