import { assert } from "../../base/index.ts";
import type { Accumulation, Sums } from "./accumulation.ts";
import { addVecs, shiftLeft, word64 } from "./arithmetic.ts";
import type { StepContext } from "./context.ts";
import type { DataPool } from "./data-pool.ts";
import { elementBytes } from "./layout.ts";
import type { Product } from "./product.ts";
import { placeOf, type StoredStream } from "./source.ts";
import { planSteps } from "./value-steps.ts";
import { makeVec, splatConstant, toLane } from "./vec.ts";
import type { Place, Stream } from "./walk.ts";
import {
  type FunctionBuilder,
  i16x8,
  i32,
  i32x4,
  type Local,
  type V128,
  v128,
} from "./wasm/index.ts";
import { type DotPlan, paddedPairs, type Weights, weightInterval } from "./weights.ts";

/** Above this size weights of 8 bits stay so in memory, at an instruction more for each use. */
const narrowWeightsBytes = 1 << 18;

/**
 * Products of 16-bit factors, two at a time. Each row of the value is first brought to pairs
 * (x[2k], x[2k+1]) of 16 bits for each sample, in the step's scratch memory; every column uses them.
 */
export function planDotProduct(
  context: StepContext,
  product: Product,
  x: StoredStream,
  weights: Weights,
  plan: DotPlan,
): Accumulation {
  const { scratch } = context;
  assert(scratch !== undefined, "a product of pairs has no scratch memory");
  const pairBytes = elementBytes(32, context.stride);
  const packed = packWeights(context.pool, weights, plan);
  const steps = planSteps(context.pool, product.valueStep, x.elementBytes);
  return {
    streams: [x, packed.stream],
    registers: packed.columns,
    openRow: (f, places, vectors) => {
      const to = f.bind(i32.const(scratch.address));
      steps.emit(f, placeOf(f, x, places), 2, (pair) => {
        for (let v = 0; v < vectors; v++) {
          f.scope(() => f.storeVector(to, 16 * v, joinPair(f, pair, 16 * v, plan.offset)));
        }
        f.advance(to, pairBytes);
      });
    },
    accumulate: (f, sums, places) => {
      const value = f.bind(i32.const(scratch.address));
      const from = placeOf(f, packed.stream, places);
      const weight = f.bind(from.pointer);
      const chunk = (partial: Partial): void =>
        f.repeat(plan.turns, () => {
          for (let u = 0; u < plan.unroll; u++) {
            f.scope(() => {
              const xs = sums[0].map((_, v) => f.bind(v128.load(value, u * pairBytes + 16 * v)));
              partial.forEach((column, c) => {
                const at = from.offset + c * packed.rowBytes + u * packed.pairBytes;
                const w = f.bind(packed.load(weight, at));
                column.forEach((sum, v) => {
                  f.set(sum, i32x4.add(sum, i32x4.dot16(xs[v], w)));
                });
              });
            });
          }
          f.advance(value, plan.unroll * pairBytes);
          f.advance(weight, plan.unroll * packed.pairBytes);
        });
      if (sums[0][0].length === 1) {
        chunk(sums.map((column) => column.map(([sum]) => sum)));
        return;
      }
      f.repeat(plan.chunks, () => {
        const partial = openPartial(f, sums, packed.columns);
        chunk(partial);
        mergePartial(f, sums, partial, plan.split);
        // Padding has read into the next chunk's pairs.
        f.advance(value, (plan.chunkPairs - plan.turns * plan.unroll) * pairBytes);
      });
    },
  };
}

/** The low 16 bits of two elements side by side, or of one beside zeros. */
function joinPair(
  f: FunctionBuilder,
  pair: readonly Place[],
  vectorOffset: number,
  offset: number,
): V128 {
  const [first, second] = pair.map((place): V128 => {
    const x = v128.load(place.pointer, place.offset + vectorOffset);
    return f.bind(offset === 0 ? x : i32x4.sub(x, splatConstant(BigInt(offset), 32)));
  });
  const low = v128.and(first, splatConstant(0xffffn, 32));
  return second === undefined ? low : v128.or(low, i32x4.shl(second, 16));
}

/** 32-bit sums by column (high parts before low ones) and vector. */
type Partial = readonly (readonly Local<"v128">[])[];

function openPartial(f: FunctionBuilder, sums: Sums, columnsEach: number): Partial {
  const zero = splatConstant(0n, 32);
  return sums.flatMap((column) =>
    Array.from({ length: columnsEach }, () => column.map(() => f.bind(zero))),
  );
}

/** sums += (high << split) + low, in 64 bits. */
function mergePartial(f: FunctionBuilder, sums: Sums, partial: Partial, split: number): void {
  const columnsEach = partial.length / sums.length;
  sums.forEach((column, c) => {
    column.forEach((sum, v) => {
      f.scope(() => {
        const terms = Array.from({ length: columnsEach }, (_, h) =>
          toLane(f, makeVec(32, [partial[c * columnsEach + h][v]], word64), 64),
        );
        const [high, low] = terms;
        const scaled = low === undefined ? high : shiftLeft(f, high, split, word64);
        const term = low === undefined ? scaled : addVecs(f, scaled, low, word64);
        const total = addVecs(f, makeVec(64, sum, word64), term, word64);
        sum.forEach((local, i) => {
          f.set(local, total.parts[i]);
        });
      });
    });
  });
}

/** Weights in the order of their use. */
interface PackedWeights {
  readonly stream: Stream;
  /** Columns for each one of the product: high and low parts are apart. */
  readonly columns: 1 | 2;
  readonly rowBytes: number;
  readonly pairBytes: number;
  /** A pair of 16-bit weights in every lane. */
  load(address: Local<"i32">, offset: number): V128;
}

function packWeights(pool: DataPool, weights: Weights, plan: DotPlan): PackedWeights {
  const { block, blocks, columns, depth } = weights;
  const { split } = plan;
  const columnsEach = split === 0 ? 1 : 2;
  const pairs = paddedPairs(plan);
  const rows = blocks * columns * columnsEach;
  const { lo, hi } = weightInterval(weights);
  const isNarrow = split === 0 && lo >= -128n && hi < 128n && rows * pairs * 4 > narrowWeightsBytes;
  const data = new (isNarrow ? Int8Array : Int16Array)(rows * pairs * 2);
  const unit = 2 ** split;
  // The pairs of a chunk are padded at its end.
  const chunkWeights = 2 * plan.chunkPairs;
  const paddedChunk = 2 * plan.turns * plan.unroll;
  for (let b = 0; b < blocks; b++) {
    for (let column = 0; column < columns; column++) {
      const row = (b * columns + column) * columnsEach * pairs * 2;
      for (let k = 0; k < depth; k++) {
        const at = row + Math.floor(k / chunkWeights) * paddedChunk + (k % chunkWeights);
        const w = weights.at(b, column, k);
        data[at] = Math.floor(w / unit);
        if (columnsEach === 2) data[at + pairs * 2] = w - Math.floor(w / unit) * unit;
      }
    }
  }
  const pairBytes = 2 * data.BYTES_PER_ELEMENT;
  const rowBytes = pairs * pairBytes;
  return {
    stream: {
      address: pool.add(new Uint8Array(data.buffer)),
      index: block.map((b) => b * columns),
      elementBytes: rowBytes * columnsEach,
      columnStride: 1,
    },
    columns: columnsEach,
    rowBytes,
    pairBytes,
    load: isNarrow
      ? (address, offset) => i16x8.extendLow8s(v128.load16Splat(address, offset))
      : v128.load32Splat,
  };
}
