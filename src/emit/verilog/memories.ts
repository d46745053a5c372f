import { addressBits } from "../../design/index.ts";
import { memoryImage } from "../../hwlib/index.ts";

/** A table as a memory: its file, and the shape of the memory. */
export interface TableMemory {
  readonly file: string;
  readonly addressBits: number;
  readonly dataBits: number;
}

/** Collects the memory files of a design. Equal tables share one. */
export class MemoryFiles {
  readonly files = new Map<string, string>();
  readonly #names = new Map<string, string>();

  /**
   * A table whose entry for code c stands at c modulo the memory's depth: the address is the code's low
   * bits, negative codes included.
   */
  table(lo: number, values: Float64Array, dataBits: number): TableMemory {
    const bits = addressBits(values.length);
    const depth = 2 ** bits;
    const words = new Array<bigint>(depth).fill(0n);
    values.forEach((value, i) => {
      const address = (((lo + i) % depth) + depth) % depth;
      words[address] = BigInt.asUintN(dataBits, BigInt(value));
    });
    const text = memoryImage(words, dataBits);
    let file = this.#names.get(text);
    if (file === undefined) {
      file = `table_${this.#names.size}.hex`;
      this.#names.set(text, file);
      this.files.set(file, text);
    }
    return { file, addressBits: bits, dataBits };
  }
}
