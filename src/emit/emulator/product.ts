import {
  type GatherKernel,
  type MatmulKernel,
  type MatmulSide,
  productElement,
  sideElement,
  type ValueId,
} from "../../ir/index.ts";
import { identityIndex } from "./nest.ts";

/**
 * A matrix product as code sees it: out[row, column] = bias + sum over k of value[row, k] *
 * other[column, k]. The value comes from memory; the other side is constant where one of them is. Rows
 * run over all groups. Everything is an index of elements.
 */
export interface Product {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly value: ValueId;
  /** Element of the value at k = 0, for each row. */
  readonly valueRow: Int32Array;
  /** Distance from there, for each k. */
  readonly valueStep: Int32Array;
  readonly other: ValueId;
  /** Element of the other side at column 0 and k = 0, for each row. */
  readonly otherRow: Int32Array;
  readonly otherColumnStride: number;
  readonly otherDepthStride: number;
  /** Element of the result at column 0, for each row. */
  readonly outRow: Int32Array;
  readonly outColumnStride: number;
  readonly bias?: {
    readonly id: ValueId;
    readonly shift: number;
    readonly row: Int32Array;
    readonly columnStride: 0 | 1;
  };
}

/** A product with its constant side, if it has one, as the other side. */
export function readProduct(
  args: readonly ValueId[],
  kernel: MatmulKernel,
  isConstant: (id: ValueId) => boolean,
): Product {
  const { groups, m, n, k, a, b } = kernel;
  const isTransposed = isConstant(args[0]) && !isConstant(args[1]);
  const [rowsPerGroup, columns] = isTransposed ? [n, m] : [m, n];
  const rows = groups * rowsPerGroup;
  const perRow = (element: (group: number, row: number) => number): Int32Array => {
    const all = new Int32Array(rows);
    for (let g = 0, at = 0; g < groups; g++) {
      for (let row = 0; row < rowsPerGroup; row++) all[at++] = element(g, row);
    }
    return all;
  };
  const value = isTransposed ? turned(b) : a;
  const other = isTransposed ? a : turned(b);
  const out = (g: number, row: number, column: number): number =>
    isTransposed ? productElement(kernel, g, column, row) : productElement(kernel, g, row, column);
  const first = value.columns?.[0] ?? 0;
  return {
    rows,
    columns,
    depth: k,
    value: args[isTransposed ? 1 : 0],
    valueRow: perRow((g, row) => sideElement(value, g, row, 0)),
    valueStep: identityIndex(k).map((i) => (value.columns?.[i] ?? i * value.columnStride) - first),
    other: args[isTransposed ? 0 : 1],
    otherRow: perRow((g) => other.offset[g]),
    otherColumnStride: other.rowStride,
    otherDepthStride: other.columnStride,
    outRow: perRow((g, row) => out(g, row, 0)),
    outColumnStride: columns > 1 ? out(0, 0, 1) - out(0, 0, 0) : 1,
    ...(args.length > 2 && {
      bias: {
        id: args[2],
        shift: kernel.biasShift ?? 0,
        row: perRow((g, row) => (kernel.biasOffset?.[g] ?? 0) + (isTransposed ? row : 0)),
        columnStride: isTransposed ? 0 : 1,
      },
    }),
  };
}

/** A side with rows and columns exchanged. */
function turned({ offset, rowStride, columnStride, rows, columns }: MatmulSide): MatmulSide {
  return {
    offset,
    rowStride: columnStride,
    columnStride: rowStride,
    ...(columns && { rows: columns }),
    ...(rows && { columns: rows }),
  };
}

/**
 * The same product of the value before a gather, so that windows need not be copied; undefined where
 * the gather's index is no sum of a part for the row and a part for k.
 */
export function readThroughGather(
  product: Product,
  source: ValueId,
  { index }: GatherKernel,
): Product | undefined {
  if (index === undefined) return { ...product, value: source };
  if (index.some((from) => from < 0)) return undefined;
  const { valueRow, valueStep, depth } = product;
  const row = valueRow.map((element) => index[element + valueStep[0]]);
  const step = valueStep.map((element) => index[valueRow[0] + element] - row[0]);
  for (let r = 0; r < row.length; r++) {
    for (let k = 0; k < depth; k++) {
      if (index[valueRow[r] + valueStep[k]] !== row[r] + step[k]) return undefined;
    }
  }
  return { ...product, value: source, valueRow: row, valueStep: step };
}
