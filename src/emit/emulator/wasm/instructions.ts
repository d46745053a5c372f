import type { ByteWriter } from "./byte-writer.ts";

/** Value types that generated code uses. */
export type Type = "i32" | "i64" | "v128";

/**
 * An expression: writes the instructions that leave one value on the stack. TypeScript checks what the
 * validator of WebAssembly would: an operand of the wrong type does not compile.
 */
export interface Expr<T extends Type = Type> {
  readonly type: T;
  write(out: ByteWriter): void;
}

export type I32 = Expr<"i32">;
export type V128 = Expr<"v128">;

const vectorPrefix = 0xfd;

function scalar<T extends Type>(type: T, opcode: number, ...operands: Expr[]): Expr<T> {
  return {
    type,
    write(out) {
      for (const operand of operands) operand.write(out);
      out.byte(opcode);
    },
  };
}

function vector<T extends Type>(
  type: T,
  opcode: number,
  operands: readonly Expr[],
  immediate: readonly number[] = [],
): Expr<T> {
  return {
    type,
    write(out) {
      for (const operand of operands) operand.write(out);
      out
        .byte(vectorPrefix)
        .u32(opcode)
        .byte(...immediate);
    },
  };
}

/** Reads memory at address + offset. No alignment is promised. */
function load<T extends Type>(type: T, opcode: number, address: I32, offset: number): Expr<T> {
  return {
    type,
    write(out) {
      address.write(out);
      if (type === "v128") out.byte(vectorPrefix).u32(opcode);
      else out.byte(opcode);
      out.byte(0).u32(offset);
    },
  };
}

type Unary<T extends Type> = (x: Expr<T>) => Expr<T>;
type Binary<T extends Type> = (x: Expr<T>, y: Expr<T>) => Expr<T>;
type Load<T extends Type> = (address: I32, offset: number) => Expr<T>;

const binary =
  <T extends Type>(type: T, opcode: number): Binary<T> =>
  (x, y) =>
    scalar(type, opcode, x, y);
const binary128 =
  (opcode: number): Binary<"v128"> =>
  (x, y) =>
    vector("v128", opcode, [x, y]);
const unary128 =
  (opcode: number): Unary<"v128"> =>
  (x) =>
    vector("v128", opcode, [x]);
/** The count is a constant; WebAssembly takes it modulo the lane's width, so callers keep below. */
const shift128 =
  (opcode: number) =>
  (x: V128, count: number): V128 =>
    vector("v128", opcode, [x, i32.const(count)]);
const loader =
  <T extends Type>(type: T, opcode: number): Load<T> =>
  (address, offset) =>
    load(type, opcode, address, offset);

export const i32 = {
  const: (value: number): I32 => ({
    type: "i32",
    write: (out) => void out.byte(0x41).s32(value),
  }),
  add: binary("i32", 0x6a),
  sub: binary("i32", 0x6b),
  mul: binary("i32", 0x6c),
  /** Signed comparison: 1 or 0. */
  gt: binary("i32", 0x4a),
  load: loader("i32", 0x28),
  load8s: loader("i32", 0x2c),
  load16s: loader("i32", 0x2e),
};

export const i64 = {
  load8s: loader("i64", 0x30),
  load16s: loader("i64", 0x32),
  load32s: loader("i64", 0x34),
};

export const v128 = {
  const: (bytes: Uint8Array): V128 => ({
    type: "v128",
    write: (out) => void out.byte(vectorPrefix).u32(12).bytes(bytes),
  }),
  load: loader("v128", 0),
  load16Splat: loader("v128", 8),
  load32Splat: loader("v128", 9),
  load64Splat: loader("v128", 10),
  /** Bytes 0..15 of the result by their index: 0..15 of x, 16..31 of y. */
  shuffle: (x: V128, y: V128, index: readonly number[]): V128 => vector("v128", 13, [x, y], index),
  and: binary128(78),
  /** x and not y. */
  andnot: binary128(79),
  or: binary128(80),
  /** Bits of x where the mask is set, of y elsewhere. */
  select: (x: V128, y: V128, mask: V128): V128 => vector("v128", 82, [x, y, mask]),
  /** x with one lane read from memory. */
  loadLane: (
    bits: 8 | 16 | 32 | 64,
    address: I32,
    offset: number,
    x: V128,
    lane: number,
  ): V128 => ({
    type: "v128",
    write(out) {
      address.write(out);
      x.write(out);
      out
        .byte(vectorPrefix)
        .u32({ 8: 84, 16: 85, 32: 86, 64: 87 }[bits])
        .byte(0)
        .u32(offset)
        .byte(lane);
    },
  }),
};

export const i16x8 = {
  /** Lanes 0..7 of the bytes, sign-extended. */
  extendLow8s: unary128(0x87),
};

export const i32x4 = {
  splat: (x: I32): V128 => vector("v128", 17, [x]),
  extractLane: (x: V128, lane: number): I32 => vector("i32", 27, [x], [lane]),
  lt: binary128(57),
  gt: binary128(59),
  le: binary128(61),
  ge: binary128(63),
  shl: shift128(171),
  shr: shift128(172),
  add: binary128(174),
  sub: binary128(177),
  mul: binary128(181),
  min: binary128(182),
  max: binary128(184),
  /** x[2i] * y[2i] + x[2i+1] * y[2i+1] of 16-bit lanes, modulo 2^32. */
  dot16: binary128(186),
};

export const i64x2 = {
  splat: (x: Expr<"i64">): V128 => vector("v128", 18, [x]),
  extendLow32: unary128(199),
  extendHigh32: unary128(200),
  extendLow32u: unary128(201),
  extendHigh32u: unary128(202),
  shl: shift128(203),
  shr: shift128(204),
  add: binary128(206),
  sub: binary128(209),
  mul: binary128(213),
  lt: binary128(216),
  gt: binary128(217),
  le: binary128(218),
  ge: binary128(219),
  /** Exact products of the 32-bit lanes 0 and 1, or 2 and 3. */
  extmulLow32: binary128(220),
  extmulHigh32: binary128(221),
};
