/**
 * Walks that several streams of element indices take together, as nested loops of constant strides. A
 * broadcast, a transpose, the windows of a convolution are all such walks; recovering the loops from
 * the index tables keeps code and tables small.
 */
export interface Nest {
  /** Loops, outermost first; each advances stream s by `strides[s]` elements. None has one turn only. */
  readonly dims: readonly NestDim[];
  /** First element of each stream, for every turn of an outermost loop that is not regular. */
  readonly starts: readonly Int32Array[];
}

export interface NestDim {
  readonly count: number;
  readonly strides: readonly number[];
}

/** Finds the loops of streams that all have `size` steps, innermost first. */
export function nestOf(size: number, streams: readonly Int32Array[]): Nest {
  const dims: NestDim[] = [];
  let starts = streams;
  let left = size;
  while (left > 1) {
    const strides = starts.map((stream) => stream[1] - stream[0]);
    const count = regularRun(left, starts, strides);
    if (count === 1) break;
    dims.unshift({ count, strides });
    left /= count;
    starts = starts.map((stream) => everyNth(stream, count, left));
  }
  return { dims, starts };
}

/**
 * Steps after which the strides may break: the greatest common divisor of all places where they do.
 */
function regularRun(
  size: number,
  streams: readonly Int32Array[],
  strides: readonly number[],
): number {
  let run = size;
  streams.forEach((stream, s) => {
    const stride = strides[s];
    for (let i = 1; i < size && run > 1; i++) {
      if (stream[i] - stream[i - 1] !== stride) run = gcd(run, i);
    }
  });
  return run;
}

function everyNth(stream: Int32Array, step: number, count: number): Int32Array {
  const result = new Int32Array(count);
  for (let i = 0; i < count; i++) result[i] = stream[i * step];
  return result;
}

export function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** 0, 1, 2, ... */
export function identityIndex(size: number): Int32Array {
  const index = new Int32Array(size);
  for (let i = 0; i < size; i++) index[i] = i;
  return index;
}

/** Whether an index table is start, start + 1, start + 2, ... */
export function isContiguous(index: Int32Array): boolean {
  for (let i = 1; i < index.length; i++) if (index[i] !== index[0] + i) return false;
  return true;
}
