/** Element types of the wire that hold numbers, with the arrays that hold them here. */
const arrays = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

export type TensorDatatype = keyof typeof arrays;

/** A tensor as it travels: little-endian, row-major, with the batch axis first where the model has one. */
export interface WireTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The numbers of a tensor; 64-bit integers beyond 2^53 lose their last bits. */
export function numbersOf({ datatype, bytes }: WireTensor): ArrayLike<number> {
  const array = arrays[datatype as TensorDatatype];
  if (array === undefined) throw new TypeError(`tensors of ${datatype} hold no numbers here`);
  // Arrays of several bytes an element must be aligned.
  const aligned = bytes.byteOffset % array.BYTES_PER_ELEMENT === 0 ? bytes : Uint8Array.from(bytes);
  const numbers = new array(
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    aligned.byteLength / array.BYTES_PER_ELEMENT,
  );
  return numbers instanceof BigInt64Array || numbers instanceof BigUint64Array
    ? Float64Array.from(numbers, Number)
    : numbers;
}

/** Numbers as the bytes of a datatype. */
export function bytesOf(datatype: string, numbers: ArrayLike<number>): Uint8Array {
  const array = arrays[datatype as TensorDatatype];
  if (array === undefined) throw new TypeError(`numbers cannot be sent as ${datatype}`);
  const typed =
    array === BigInt64Array || array === BigUint64Array
      ? array.from(Array.from(numbers, (x) => BigInt(Math.trunc(x))))
      : numbers instanceof array
        ? numbers
        : (array as Float32ArrayConstructor).from(numbers);
  return new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
}
