/** The first memory of what turns out to be longer. */
const firstBytes = 256;
const empty = Buffer.alloc(0);

/**
 * Bytes that come in pieces, gathered in one buffer that grows with them. A list of the pieces would not do:
 * a client that sends its bytes one by one would make of each an object many times as large.
 */
export class GatheredBytes {
  #memory: Buffer = empty;
  /** Where those lie that nobody has taken. */
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** @param piece is copied */
  push(piece: Uint8Array): void {
    if (this.#end + piece.length > this.#memory.length) this.#grow(piece.length);
    this.#memory.set(piece, this.#end);
    this.#end += piece.length;
  }

  /** Takes the first `maxBytes`, or all. They stay as they are, whatever is pushed. */
  take(maxBytes = Number.POSITIVE_INFINITY): Buffer {
    const end = Math.min(this.#end, this.#start + maxBytes);
    const bytes = this.#memory.subarray(this.#start, end);
    this.#start = end;
    if (end === this.#end) {
      this.#memory = empty;
      this.#start = 0;
      this.#end = 0;
    }
    return bytes;
  }

  #grow(more: number): void {
    const { length } = this;
    // What comes first is often all.
    const size = length === 0 ? more : Math.max(length + more, 2 * length, firstBytes);
    const memory = Buffer.allocUnsafe(size);
    memory.set(this.#memory.subarray(this.#start, this.#end));
    this.#memory = memory;
    this.#start = 0;
    this.#end = length;
  }
}
