import { unreachable } from "../base/index.ts";
import {
  codeToReal,
  defaultOverflow,
  defaultRounding,
  type Format,
  makeFormat,
  maxCode,
  minCode,
  type Precision,
} from "../fixed/index.ts";
import type { QuantizeOptions } from "./config.ts";
import type { ValueStatistics } from "./statistics.ts";

/**
 * The finest binary point at which a format of this width still reaches from `min` to `max`. Rounding may
 * saturate by half a step at the ends. Zero alone gets its fraction from the width.
 */
export function formatForRange(min: number, max: number, widthBits: number): Format {
  const signed = min < 0;
  const magnitudeBits = widthBits - (signed ? 1 : 0);
  const reach = Math.max(max, -min);
  if (reach === 0 || !Number.isFinite(reach)) return makeFormat(signed, widthBits, widthBits - 1);
  // The least i with reach <= 2^i, then one more where the greatest code falls more than half a step short.
  const integerBits = Math.ceil(Math.log2(reach));
  const format = makeFormat(signed, widthBits, magnitudeBits - integerBits);
  const short = max - codeToReal(maxCode(format), format);
  return short > 2 ** -format.frac / 2 ? { ...format, frac: format.frac - 1 } : format;
}

/** Formats by how much of the range they give up for a finer step: 0 to 6 halvings of the reach. */
function candidates(statistics: ValueStatistics, widthBits: number): Format[] {
  const widest = formatForRange(statistics.min, statistics.max, widthBits);
  return Array.from({ length: 7 }, (_, i) => ({ ...widest, frac: widest.frac + i }));
}

type Method = Pick<QuantizeOptions, "method" | "percentile">;

/** What was chosen for a sample; steps of a sequence have one for all. */
const chosen = new WeakMap<Float64Array, Map<string, Precision>>();

/** The format of `widthBits` bits that suits what calibration saw, by the method asked for. */
export function calibratedPrecision(
  statistics: ValueStatistics,
  widthBits: number,
  options: Method,
): Precision {
  const { min, max, sample } = statistics;
  const choices = chosen.get(sample) ?? new Map<string, Precision>();
  chosen.set(sample, choices);
  const key = [min, max, widthBits, options.method, options.percentile].join();
  const choice = choices.get(key) ?? choosePrecision(statistics, widthBits, options);
  choices.set(key, choice);
  return choice;
}

function choosePrecision(
  statistics: ValueStatistics,
  widthBits: number,
  { method, percentile }: Method,
): Precision {
  const precision = (format: Format): Precision => ({
    format,
    rounding: defaultRounding,
    overflow: defaultOverflow,
  });
  switch (method) {
    case "minmax":
      return precision(formatForRange(statistics.min, statistics.max, widthBits));
    case "percentile": {
      const sorted = statistics.sample.toSorted();
      const cut = Math.floor(((100 - percentile) / 200) * sorted.length);
      const min = Math.min(0, sorted[cut] ?? 0);
      const max = Math.max(0, sorted[sorted.length - 1 - cut] ?? 0);
      const { signed } = formatForRange(statistics.min, statistics.max, widthBits);
      return precision(
        formatForRange(signed ? Math.min(min, -Number.MIN_VALUE) : 0, max, widthBits),
      );
    }
    case "mse": {
      let best = {
        error: Infinity,
        format: formatForRange(statistics.min, statistics.max, widthBits),
      };
      for (const format of candidates(statistics, widthBits)) {
        const error = squaredError(statistics.sample, format);
        if (error < best.error) best = { error, format };
      }
      return precision(best.format);
    }
    default:
      return unreachable(method);
  }
}

/** In floating point: it only ranks formats, and is asked for often. */
function squaredError(sample: Float64Array, format: Format): number {
  const [unit, step] = [2 ** format.frac, 2 ** -format.frac];
  const [lo, hi] = [Number(minCode(format)), Number(maxCode(format))];
  let sum = 0;
  for (const value of sample) {
    const code = Math.min(Math.max(Math.floor(value * unit + 0.5), lo), hi);
    const error = value - code * step;
    sum += error * error;
  }
  return sum;
}
