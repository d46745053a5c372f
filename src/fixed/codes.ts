import { assert } from "../base/index.ts";
import { type Format, maxCode, minCode } from "./format.ts";
import { type Overflow, type Rounding, realToCode, roundReal } from "./round.ts";

/** How the codes of one tensor are packed. */
export interface CodeLayout {
  readonly format: Format;
  readonly rounding: Rounding;
  readonly overflow: Overflow;
  readonly elementBytes: 1 | 2 | 4 | 8;
  /** Set where the codes are integers of a quantized model; the format's `frac` is then 0. */
  readonly scale?: number;
  readonly zeroPoint?: number;
  readonly offset?: number;
}

/**
 * What integers of a quantized model stand for: real = (code - zeroPoint - offset) * scale, and back
 * code = limit(round(real / scale + offset) + zeroPoint), with float32 arithmetic as quantized models have it.
 */
export interface CodeScale {
  /** Above zero. */
  readonly scale: number;
  readonly zeroPoint: number;
  /** A part of the zero point that is no integer, or that rounding must see. */
  readonly offset?: number;
}

/**
 * Float numbers to packed codes: the one routine by which hosts quantize. Little-endian, each code in its
 * container; `at` is the byte where the first one goes.
 */
export function packReals(
  values: ArrayLike<number>,
  layout: CodeLayout,
  into: Uint8Array,
  at: number,
): void {
  const { format, rounding, overflow, elementBytes } = layout;
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  if (format.width > 53 || overflow === "WRAP") {
    for (let i = 0; i < values.length; i++) {
      writeCode(
        view,
        at + i * elementBytes,
        realToCode(values[i], format, rounding, overflow),
        elementBytes,
      );
    }
    return;
  }
  const { zeroPoint = 0 } = layout;
  const { step, scale, offset, min, max } = ruleOf(layout);
  for (let i = 0; i < values.length; i++) {
    const rounded =
      scale === undefined
        ? roundReal(values[i] * step, rounding)
        : roundReal(scaled(values[i], scale, offset), rounding) + zeroPoint;
    // Comparisons with NaN are false: it becomes zero.
    const code = rounded > max ? max : rounded < min ? min : rounded >= min ? rounded : zeroPoint;
    const place = at + i * elementBytes;
    if (elementBytes === 1) view.setUint8(place, code);
    else if (elementBytes === 2) view.setUint16(place, code, true);
    else if (elementBytes === 4) view.setUint32(place, code, true);
    else view.setBigInt64(place, BigInt(code), true);
  }
}

/** Float numbers to codes of at most 53 bits. */
export function realsToCodes(
  values: Float64Array,
  layout: Omit<CodeLayout, "elementBytes">,
): Float64Array {
  const { format, rounding, overflow } = layout;
  const codes = new Float64Array(values.length);
  if (format.width > 53 || overflow === "WRAP") {
    for (let i = 0; i < values.length; i++) {
      codes[i] = Number(realToCode(values[i], format, rounding, overflow));
    }
    return codes;
  }
  const { zeroPoint = 0 } = layout;
  const { step, scale, offset, min, max } = ruleOf(layout);
  for (let i = 0; i < values.length; i++) {
    const rounded =
      scale === undefined
        ? roundReal(values[i] * step, rounding)
        : roundReal(scaled(values[i], scale, offset), rounding) + zeroPoint;
    codes[i] = rounded > max ? max : rounded < min ? min : rounded >= min ? rounded + 0 : zeroPoint;
  }
  return codes;
}

/** The numbers of a rule that saturates. */
function ruleOf({ format, overflow, scale, offset = 0 }: Omit<CodeLayout, "elementBytes">) {
  const max = Number(maxCode(format));
  const min = overflow === "SAT_SYM" && format.signed ? -max : Number(minCode(format));
  return { step: 2 ** format.frac, scale, offset, min, max };
}

function scaled(value: number, scale: number, offset: number): number {
  return Math.fround(Math.fround(Math.fround(value) / scale) + offset);
}

/** Codes to their containers. */
export function packCodes(
  codes: ArrayLike<bigint>,
  { elementBytes }: Pick<CodeLayout, "elementBytes">,
  into: Uint8Array,
  at: number,
): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  for (let i = 0; i < codes.length; i++)
    writeCode(view, at + i * elementBytes, codes[i], elementBytes);
}

/** Codes out of their containers. */
export function unpackCodes(
  from: Uint8Array,
  at: number,
  count: number,
  { format, elementBytes }: Pick<CodeLayout, "format" | "elementBytes">,
): bigint[] {
  const view = new DataView(from.buffer, from.byteOffset, from.byteLength);
  assert(at + count * elementBytes <= from.byteLength, "codes beyond the end of the buffer");
  return Array.from({ length: count }, (_, i) => {
    const place = at + i * elementBytes;
    if (elementBytes === 8)
      return format.signed ? view.getBigInt64(place, true) : view.getBigUint64(place, true);
    return BigInt(readCode(view, place, format.signed, elementBytes));
  });
}

/** The real numbers of packed codes. Exact while a code has at most 53 bits. */
export function unpackReals(
  from: Uint8Array,
  at: number,
  count: number,
  layout: Pick<CodeLayout, "format" | "elementBytes" | "scale" | "zeroPoint" | "offset">,
): Float64Array {
  const { format, elementBytes, scale, zeroPoint = 0, offset = 0 } = layout;
  if (elementBytes === 8) {
    const codes = unpackCodes(from, at, count, { format, elementBytes });
    const [step, moved] = [scale ?? 2 ** -format.frac, zeroPoint + offset];
    return Float64Array.from(codes, (code) => (Number(code) - moved) * step);
  }
  const view = new DataView(from.buffer, from.byteOffset, from.byteLength);
  const [step, moved] = [scale ?? 2 ** -format.frac, zeroPoint + offset];
  const reals = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    reals[i] = (readCode(view, at + i * elementBytes, format.signed, elementBytes) - moved) * step;
  }
  return reals;
}

function readCode(view: DataView, place: number, signed: boolean, bytes: 1 | 2 | 4): number {
  if (bytes === 1) return signed ? view.getInt8(place) : view.getUint8(place);
  if (bytes === 2) return signed ? view.getInt16(place, true) : view.getUint16(place, true);
  return signed ? view.getInt32(place, true) : view.getUint32(place, true);
}

function writeCode(view: DataView, place: number, code: bigint, bytes: 1 | 2 | 4 | 8): void {
  if (bytes === 8) view.setBigInt64(place, BigInt.asIntN(64, code), true);
  else if (bytes === 4) view.setInt32(place, Number(BigInt.asIntN(32, code)), true);
  else if (bytes === 2) view.setInt16(place, Number(BigInt.asIntN(16, code)), true);
  else view.setInt8(place, Number(BigInt.asIntN(8, code)));
}
