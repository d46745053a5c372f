import { addressBits } from "../design/index.ts";

/** Entries that one six-input function looks at. */
const leaf = 64;
/** Above a function of six inputs, levels of multiplexers that are no LUTs: MUXF7 and MUXF8. */
const freeLevels = 2;

interface Counted {
  readonly values: Float64Array;
  readonly place: string;
  readonly luts: number;
}

/** Tables that were counted, by a number of what is in them: steps of a sequence and networks that are tried have the same. */
const known = new Map<number, Counted[]>();
/** Tables that are remembered, at most. */
const mostKnown = 2000;

/**
 * LUTs of a table, from what is in it: of each bit the different functions of six inputs that are neither constant
 * nor an input, and the multiplexers above eight inputs whose sides differ.
 *
 * @param lo the code of the first entry; entries stand at the low bits of their code
 */
export function tableLuts(values: Float64Array, lo: number, widthBits: number): number {
  const place = `${lo},${widthBits}`;
  let number = values.length;
  for (let i = 0; i < values.length; i++) number = (Math.imul(number, 31) + values[i]) | 0;
  const alike = known.get(number) ?? [];
  const isSame = (other: Counted) =>
    other.place === place &&
    other.values.length === values.length &&
    other.values.every((value, i) => value === values[i]);
  const counted = alike.find(isSame);
  if (counted !== undefined) return counted.luts;
  const luts = countLuts(values, lo, widthBits);
  if (known.size >= mostKnown) known.clear();
  known.set(number, [...alike, { values, place, luts }]);
  return luts;
}

function countLuts(values: Float64Array, lo: number, widthBits: number): number {
  const depth = 2 ** addressBits(values.length);
  let luts = 0;
  for (let bit = 0; bit < widthBits; bit++) {
    const column = new Uint8Array(depth);
    const unit = 2 ** bit;
    for (let i = 0, at = ((lo % depth) + depth) % depth; i < values.length; i++) {
      column[at] = Math.floor(values[i] / unit) & 1;
      at = at === depth - 1 ? 0 : at + 1;
    }
    luts += bitLuts(column);
  }
  return luts;
}

/** LUTs of a function of one bit. */
function bitLuts(column: Uint8Array): number {
  const size = Math.min(leaf, column.length);
  let parts: string[] = [];
  for (let from = 0; from < column.length; from += size)
    parts.push(column.subarray(from, from + size).join(""));
  const simple = trivialParts(size);
  let luts = new Set(parts.filter((part) => !simple.has(part))).size;
  for (let level = 0; parts.length > 1; level++) {
    const joined: string[] = [];
    for (let at = 0; at < parts.length; at += 2) {
      const [low, high] = [parts[at], parts[at + 1]];
      if (low !== high && level >= freeLevels) luts++;
      joined.push(low === high ? low : `(${low}${high})`);
    }
    parts = joined;
  }
  return luts;
}

const trivial = new Map<number, ReadonlySet<string>>();

/** Constants, inputs and inverted inputs, as functions of `size` entries. */
function trivialParts(size: number): ReadonlySet<string> {
  const found = trivial.get(size);
  if (found !== undefined) return found;
  const parts = new Set(["0".repeat(size), "1".repeat(size)]);
  for (let period = 1; period < size; period *= 2) {
    const [low, high] = ["0".repeat(period), "1".repeat(period)];
    parts.add((low + high).repeat(size / (2 * period)));
    parts.add((high + low).repeat(size / (2 * period)));
  }
  trivial.set(size, parts);
  return parts;
}
