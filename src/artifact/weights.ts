import { fail } from "../base/index.ts";

/** Element types in which large constants are stored, narrowest first. */
const stores = {
  i8: { bytes: 1, fits: (x: number) => x >= -128 && x < 128 },
  i16: { bytes: 2, fits: (x: number) => x >= -32768 && x < 32768 },
  i32: { bytes: 4, fits: (x: number) => x >= -(2 ** 31) && x < 2 ** 31 },
  f64: { bytes: 8, fits: () => true },
} as const;

type Store = keyof typeof stores;

/** Collects the constants of a network's text form in one file. */
export class WeightsWriter {
  readonly #parts: Uint8Array[] = [];
  #sizeBytes = 0;

  /** Takes a constant's numbers; gives where they stand, and as what. */
  put(data: Float64Array): { offset: number; type: string } {
    const isWhole = data.every((x) => Number.isSafeInteger(x) && !Object.is(x, -0));
    const type = (Object.keys(stores) as Store[]).find(
      (name) => (name === "f64" || isWhole) && data.every(stores[name].fits),
    ) as Store;
    const { bytes } = stores[type];
    const part = new Uint8Array(data.length * bytes);
    const view = new DataView(part.buffer);
    data.forEach((x, i) => {
      if (type === "i8") view.setInt8(i, x);
      else if (type === "i16") view.setInt16(i * 2, x, true);
      else if (type === "i32") view.setInt32(i * 4, x, true);
      else view.setFloat64(i * 8, x, true);
    });
    const offset = this.#sizeBytes;
    this.#parts.push(part);
    this.#sizeBytes += part.length;
    return { offset, type };
  }

  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts));
  }
}

/** Reads what a `WeightsWriter` wrote. */
export class WeightsReader {
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @throws N2F_BUNDLE_CORRUPT where the file is too short or the type is unknown */
  get(type: string, offset: number, count: number): Float64Array {
    const store = Object.hasOwn(stores, type) ? stores[type as Store] : undefined;
    if (store === undefined || offset + count * store.bytes > this.#view.byteLength) {
      fail(
        "N2F_BUNDLE_CORRUPT",
        `${count} constants of type ${type} at byte ${offset} are not in the weights file`,
        {
          hint: "Compile the model again.",
        },
      );
    }
    return Float64Array.from({ length: count }, (_, i) => {
      if (type === "i8") return this.#view.getInt8(offset + i);
      if (type === "i16") return this.#view.getInt16(offset + i * 2, true);
      if (type === "i32") return this.#view.getInt32(offset + i * 4, true);
      return this.#view.getFloat64(offset + i * 8, true);
    });
  }
}
