import type { Accumulation } from "./accumulation.ts";
import { addVecs, multiply, word64 } from "./arithmetic.ts";
import type { StepContext } from "./context.ts";
import { encodeIntegers, type IntegerBytes, integerBytes } from "./data-pool.ts";
import { fitsSigned } from "./interval.ts";
import type { Product } from "./product.ts";
import { openSource, placeOf, type Reader, type StoredStream, storedStream } from "./source.ts";
import { planSteps } from "./value-steps.ts";
import { type Lane, loadVec, makeVec, toLane, vecBytes } from "./vec.ts";
import { columnPlace, type Place, type Stream } from "./walk.ts";
import { type FunctionBuilder, i32, i32x4, i64, i64x2, v128 } from "./wasm/index.ts";
import { type Weights, weightInterval } from "./weights.ts";

/**
 * Products lane by lane, modulo 2^lane of the result: in 32 bits where it fits, else in 64, from factors
 * of 32 bits where those fit.
 */
export function planLaneProduct(
  context: StepContext,
  product: Product,
  x: StoredStream,
  weights: Weights | undefined,
  lane: Lane,
): Accumulation {
  const other =
    weights === undefined ? storedSide(context, product) : weightSide(context, weights, lane);
  const steps = planSteps(context.pool, product.valueStep, x.elementBytes);
  return {
    streams: [x, other.stream],
    registers: lane / 32,
    openRow: () => {},
    accumulate: (f, sums, places) => {
      const weight = placeOf(f, other.stream, places);
      // The way along k may lead down, so it begins at the element itself.
      const there = f.bind(i32.add(weight.pointer, i32.const(weight.offset)));
      steps.emit(f, placeOf(f, x, places), 1, ([{ pointer, offset }]) => {
        const values = sums[0].map((_, v) => {
          const vec = loadVec(f, pointer, offset + v * vecBytes(x.lane), x.lane, x.interval);
          return lane === 32 ? toLane(f, vec, 32) : vec;
        });
        sums.forEach((column, c) => {
          f.scope(() => {
            const at = { pointer: there, offset: 0 };
            const read = other.open(f, columnPlace(f, other.stream, at, c));
            column.forEach((sum, v) => {
              f.scope(() => {
                const term = multiply(f, values[v], read(v), lane, word64);
                const total = addVecs(f, makeVec(lane, sum, word64), term, word64);
                sum.forEach((local, i) => {
                  f.set(local, total.parts[i]);
                });
              });
            });
          });
        });
        f.advance(there, other.depthBytes);
      });
    },
  };
}

/** The other factor of each product. */
interface OtherSide {
  readonly stream: Stream;
  /** Bytes from one k to the next. */
  readonly depthBytes: number;
  open(f: FunctionBuilder, at: Place): Reader;
}

function storedSide(context: StepContext, product: Product): OtherSide {
  const { otherRow, otherColumnStride, otherDepthStride } = product;
  const stored = context.stored(product.other);
  const stream = storedStream(stored, context.stride, otherRow, otherColumnStride);
  return {
    stream,
    depthBytes: otherDepthStride * stream.elementBytes,
    open: (f, at) => openSource(f, stream, new Map([[stream, at]])),
  };
}

function weightSide({ pool }: StepContext, weights: Weights, resultLane: Lane): OtherSide {
  const { block, blocks, columns, depth } = weights;
  const interval = weightInterval(weights);
  // Where the result has 32 bits, those of the weights are enough.
  const lane: Lane = resultLane === 32 || fitsSigned(interval, 32) ? 32 : 64;
  const bytes = Math.min(integerBytes(interval), lane / 8) as IntegerBytes;
  const count = blocks * columns * depth;
  const address = pool.add(encodeIntegers(everyWeight(weights), count, bytes));
  const stream: Stream = {
    address,
    index: block.map((b) => b * columns),
    elementBytes: depth * bytes,
    columnStride: 1,
  };
  return {
    stream,
    depthBytes: bytes,
    open: (f, at) => {
      const splat = f.bind(loadSplat(at, lane, bytes));
      const vec = makeVec(lane, lane === 32 ? [splat] : [splat, splat], interval);
      return () => vec;
    },
  };
}

function* everyWeight({ blocks, columns, depth, at }: Weights): Generator<bigint> {
  for (let block = 0; block < blocks; block++) {
    for (let column = 0; column < columns; column++) {
      for (let k = 0; k < depth; k++) yield BigInt(at(block, column, k));
    }
  }
}

function loadSplat({ pointer, offset }: Place, lane: Lane, bytes: IntegerBytes) {
  if (lane === 32) {
    if (bytes === 1) return i32x4.splat(i32.load8s(pointer, offset));
    if (bytes === 2) return i32x4.splat(i32.load16s(pointer, offset));
    return v128.load32Splat(pointer, offset);
  }
  if (bytes === 1) return i64x2.splat(i64.load8s(pointer, offset));
  if (bytes === 2) return i64x2.splat(i64.load16s(pointer, offset));
  if (bytes === 4) return i64x2.splat(i64.load32s(pointer, offset));
  return v128.load64Splat(pointer, offset);
}
