import type { Sums } from "./accumulation.ts";
import { addVecs, shiftLeft, word64 } from "./arithmetic.ts";
import { fitsCoefficient, makeColumnCoefficient, type Scaled } from "./coefficient.ts";
import type { StepCode, StepContext } from "./context.ts";
import { planDotProduct } from "./dot-product.ts";
import { laneFor } from "./interval.ts";
import { planLaneProduct } from "./lane-product.ts";
import type { Stored } from "./layout.ts";
import { Chain } from "./pointwise.ts";
import type { Product } from "./product.ts";
import { type Group, resultOf } from "./program.ts";
import { openSource, type Source, storedStream, storeTo, streamsOf } from "./source.ts";
import { constantVec, type Lane, makeVec, settle, toLane } from "./vec.ts";
import { emitTiles, emitWalk, type Places, planWalk } from "./walk.ts";
import type { FunctionBuilder } from "./wasm/index.ts";
import { type DotPlan, offsetCorrection, planDot, readWeights, type Weights } from "./weights.ts";

/** How a product is computed; chosen before memory is given out, because pairs need some. */
export interface ProductMethod {
  readonly weights?: Weights;
  readonly dot?: DotPlan;
}

export function chooseMethod(
  product: Product,
  codes: Float64Array | undefined,
  value: Stored,
  resultLane: Lane,
): ProductMethod {
  if (codes === undefined) return {};
  const weights = readWeights(product, codes);
  const dot = planDot(weights, value.interval, resultLane);
  return dot === undefined ? { weights } : { weights, dot };
}

/** Of the sixteen registers of a processor, those for sums; the others hold operands. */
const sumRegisters = 8;

/** out[row, column] = bias + sum over k, then the chain. */
export function planMatmul(
  context: StepContext,
  group: Group,
  product: Product,
  method: ProductMethod,
): StepCode {
  const { pool, stride, constants } = context;
  const { rows, columns, outRow, outColumnStride } = product;
  const proven = group.root.interval;
  const lane = laneFor(proven);

  const target = storedStream(context.stored(resultOf(group).id), stride, outRow, outColumnStride);
  const chain = new Chain(group.chain, {
    pool,
    constants,
    coefficient: (scaled) => makeColumnCoefficient(pool, scaled, outRow, columns, outColumnStride),
  });
  const starts = planStarts(context, product, method);
  const x = storedStream(context.stored(product.value), stride, product.valueRow);
  const { weights, dot } = method;
  const accumulation =
    weights !== undefined && dot !== undefined
      ? planDotProduct(context, product, x, weights, dot)
      : planLaneProduct(context, product, x, weights, lane);
  const walk = planWalk(pool, rows, [
    ...streamsOf([target, ...starts.map(({ source }) => source), ...chain.sources]),
    ...accumulation.streams,
  ]);

  return (f, vectors) =>
    emitWalk(f, walk, (rowPlaces) => {
      accumulation.openRow(f, rowPlaces, vectors);
      const tile = Math.max(1, Math.floor(sumRegisters / (vectors * accumulation.registers)));
      emitTiles(f, columns, tile, rowPlaces, (width, places) => {
        const sums = openSums(f, starts, lane, width, vectors, places);
        accumulation.accumulate(f, sums, places);
        sums.forEach((column, c) => {
          f.scope(() => {
            const apply = chain.open(f, places, c);
            column.forEach((parts, v) => {
              f.scope(() => {
                const sum = settle(f, makeVec(lane, parts, proven), proven);
                storeTo(f, target, places, v, apply(sum), c);
              });
            });
          });
        });
      });
    });
}

/** A number from which a sum starts, times 2^shift. */
interface Start {
  readonly source: Source;
  readonly shift: number;
}

/** The bias, and the correction where the operands were moved to fit 16 bits. */
function planStarts(context: StepContext, product: Product, method: ProductMethod): Start[] {
  const { pool, stride, constants } = context;
  const { bias, columns } = product;
  const starts: Start[] = [];
  if (bias !== undefined) {
    const codes = constants.get(bias.id);
    if (codes === undefined) {
      const source = storedStream(context.stored(bias.id), stride, bias.row, bias.columnStride);
      starts.push({ source, shift: bias.shift });
    } else {
      const whole: Scaled = { codes, shift: bias.shift };
      const [scaled, shift] = fitsCoefficient(whole)
        ? [whole, 0]
        : [{ codes, shift: 0 }, bias.shift];
      const source = makeColumnCoefficient(pool, scaled, bias.row, columns, bias.columnStride);
      starts.push({ source, shift });
    }
  }
  const { weights, dot } = method;
  if (weights !== undefined && dot !== undefined && dot.offset !== 0) {
    const codes = offsetCorrection(weights, dot.offset);
    const row = weights.block.map((block) => block * columns);
    const source = makeColumnCoefficient(pool, { codes, shift: 0 }, row, columns, 1);
    starts.push({ source, shift: 0 });
  }
  return starts;
}

/** Sums modulo 2^lane: whatever a start is, only its low bits count. */
function openSums(
  f: FunctionBuilder,
  starts: readonly Start[],
  lane: Lane,
  width: number,
  vectors: number,
  places: Places,
): Sums {
  const zero = constantVec(0n, lane);
  return Array.from({ length: width }, (_, c) => {
    const readers = starts.map(({ source }) => openSource(f, source, places, c));
    return Array.from({ length: vectors }, (__, v) => {
      const terms = readers.map((read, i) =>
        shiftLeft(f, toLane(f, read(v), lane), starts[i].shift, word64),
      );
      const sum = terms.reduceRight((a, b) => addVecs(f, a, b, word64), terms.pop() ?? zero);
      return sum.parts.map((part) => f.bind(part));
    });
  });
}
