import type { Interval } from "./interval.ts";
import { fitsSigned } from "./interval.ts";
import { ByteWriter } from "./wasm/index.ts";

/** Constant data of the module, which begins at a given address of its memory. */
export class DataPool {
  readonly #base: number;
  readonly #bytes = new ByteWriter();

  /** @param base a multiple of 16 */
  constructor(base: number) {
    this.#base = base;
  }

  get address(): number {
    return this.#base;
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  /** Places bytes at the next multiple of 16 and gives their address. */
  add(bytes: Uint8Array): number {
    const padding = -this.#bytes.length & 15;
    this.#bytes.bytes(new Uint8Array(padding));
    const address = this.#base + this.#bytes.length;
    this.#bytes.bytes(bytes);
    return address;
  }

  view(): Uint8Array {
    return this.#bytes.view();
  }
}

/** Bytes of an integer in constant data. */
export type IntegerBytes = 1 | 2 | 4 | 8;

/** The narrowest signed container of an interval. */
export function integerBytes(interval: Interval): IntegerBytes {
  for (const bytes of [1, 2, 4] as const) if (fitsSigned(interval, 8 * bytes)) return bytes;
  return 8;
}

/** Little-endian integers, each modulo 2^(8 bytes). */
export function encodeIntegers(values: Iterable<bigint>, count: number, bytes: IntegerBytes) {
  const result = new Uint8Array(count * bytes);
  const view = new DataView(result.buffer);
  let at = 0;
  for (const value of values) {
    if (bytes === 8) view.setBigUint64(at, BigInt.asUintN(64, value), true);
    else {
      const low = Number(BigInt.asIntN(32, value));
      if (bytes === 1) view.setInt8(at, low);
      else if (bytes === 2) view.setInt16(at, low, true);
      else view.setInt32(at, low, true);
    }
    at += bytes;
  }
  return result;
}
