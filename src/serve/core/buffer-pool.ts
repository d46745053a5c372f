import type { Pressure } from "./inference-core.ts";

/** A buffer of the pool: `bytes` has the length that was asked for, its memory the size of its class. */
export interface PooledBuffer {
  readonly bytes: Uint8Array;
  readonly memory: ArrayBufferLike;
}

export interface BufferPoolOptions {
  /** Memory that other threads see too. */
  readonly isShared?: boolean;
  /** Bytes that may be out before `isHigh`. */
  readonly limitBytes?: number;
  /** Bytes of free buffers that are kept. */
  readonly keepBytes?: number;
}

const smallestClass = 1024;
/** Pressure ends when so much of the limit is left in use, so that it does not flutter. */
const lowMark = 0.75;

/**
 * Buffers by powers of two, used again and again: taking one costs a view, where allocating a large one
 * costs as much as copying it many times. Contents are whatever was there before.
 */
export class BufferPool implements Pressure {
  readonly #free: ArrayBufferLike[][] = [];
  readonly #isShared: boolean;
  readonly #keepBytes: number;
  readonly limitBytes: number;
  #bytesInFlight = 0;
  #bytesKept = 0;
  #isHigh = false;
  #waiting: (() => void)[] = [];

  constructor({
    isShared = false,
    limitBytes = 512 * 2 ** 20,
    keepBytes = 256 * 2 ** 20,
  }: BufferPoolOptions = {}) {
    this.#isShared = isShared;
    this.limitBytes = limitBytes;
    this.#keepBytes = keepBytes;
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  get isHigh(): boolean {
    return this.#isHigh;
  }

  onRelief(callback: () => void): void {
    if (this.#isHigh) this.#waiting.push(callback);
    else process.nextTick(callback);
  }

  take(byteLength: number): PooledBuffer {
    const index = classOf(byteLength);
    let memory = this.#free[index]?.pop();
    if (memory === undefined) {
      const size = smallestClass * 2 ** index;
      memory = this.#isShared ? new SharedArrayBuffer(size) : new ArrayBuffer(size);
    } else this.#bytesKept -= memory.byteLength;
    this.#bytesInFlight += memory.byteLength;
    if (this.#bytesInFlight > this.limitBytes) this.#isHigh = true;
    return { bytes: new Uint8Array(memory, 0, byteLength), memory };
  }

  /** Each buffer goes back once; the view is not to be used afterwards. */
  give({ memory }: PooledBuffer): void {
    this.#bytesInFlight -= memory.byteLength;
    if (this.#bytesKept + memory.byteLength <= this.#keepBytes) {
      const place = classOf(memory.byteLength);
      this.#free[place] ??= [];
      this.#free[place].push(memory);
      this.#bytesKept += memory.byteLength;
    }
    if (this.#isHigh && this.#bytesInFlight <= this.limitBytes * lowMark) {
      this.#isHigh = false;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const callback of waiting) process.nextTick(callback);
    }
  }
}

function classOf(byteLength: number): number {
  return byteLength <= smallestClass ? 0 : Math.ceil(Math.log2(byteLength / smallestClass));
}
