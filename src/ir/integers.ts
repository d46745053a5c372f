/** Numbers as integers times a scale: one for all, or one for each column. */
export interface Factored {
  readonly integers: Float64Array;
  readonly scale: readonly number[];
}

/** Greatest integer that the weights of a quantized model have. */
const most = 2 ** 24;

/**
 * Takes the scale out of numbers that are small integers times it, as dequantized weights are, exactly:
 * it is their greatest common divisor. Nothing where there is none.
 *
 * @param columnOf the column of an element, where each may have a scale of its own
 */
export function factorIntegers(
  data: Float64Array,
  columns: number,
  columnOf: (element: number) => number,
): Factored | undefined {
  const whole = divideBy(data, [commonDivisor(data) ?? Number.NaN], () => 0);
  if (whole !== undefined || columns === 1) return whole;
  const byColumn = Array.from({ length: columns }, (): number[] => []);
  data.forEach((value, i) => {
    byColumn[columnOf(i)].push(value);
  });
  const scale = byColumn.map((column) => commonDivisor(column) ?? Number.NaN);
  return divideBy(data, scale, columnOf);
}

function divideBy(
  data: Float64Array,
  scale: readonly number[],
  columnOf: (element: number) => number,
): Factored | undefined {
  const integers = data.map((value, i) => value / scale[columnOf(i)]);
  const fits = integers.every((code) => Number.isInteger(code) && Math.abs(code) <= most);
  return fits ? { integers, scale } : undefined;
}

/** The greatest number of which all others are multiples; 1 for zeros, nothing where digits would be lost. */
export function commonDivisor(numbers: ArrayLike<number>): number | undefined {
  let common = 0;
  for (let i = 0; i < numbers.length; i++) {
    if (numbers[i] === 0) continue;
    const next = divisor(common, Math.abs(numbers[i]));
    if (next === undefined) return undefined;
    common = next;
  }
  return common === 0 ? 1 : common;
}

/** Remainders of doubles are exact, so Euclid's algorithm is; it ends where the numbers lie too far apart. */
function divisor(a: number, b: number): number | undefined {
  if (!Number.isFinite(b)) return undefined;
  let [x, y] = [b, a];
  while (y !== 0) [x, y] = [y, x % y];
  return a / x <= 2 ** 53 && b / x <= 2 ** 53 ? x : undefined;
}
