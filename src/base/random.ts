/**
 * A seeded stream of pseudo-random numbers: the same seed gives the same numbers on every machine.
 * xoshiro128** seeded by splitmix32.
 *
 * @see https://prng.di.unimi.it/
 */
export class Random {
  readonly #state = new Uint32Array(4);
  #spare: number | undefined;

  constructor(seed: number) {
    let z = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      z = (z + 0x9e3779b9) >>> 0;
      let t = z ^ (z >>> 16);
      t = Math.imul(t, 0x21f0aaad);
      t ^= t >>> 15;
      t = Math.imul(t, 0x735a2d97);
      this.#state[i] = t ^ (t >>> 15);
    }
  }

  /** 32 random bits, 0 .. 2^32-1. */
  uint32(): number {
    const s = this.#state;
    const scrambled = Math.imul(rotateLeft(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotateLeft(s[3], 11);
    return scrambled;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.uint32() / 2 ** 32;
  }

  /** Uniform integer, 0 .. bound-1. */
  below(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  /** Uniform integer between two bounds, both included. */
  bigintBetween(low: bigint, high: bigint): bigint {
    const bits = (BigInt(this.uint32()) << 32n) | BigInt(this.uint32());
    return low + ((bits * (high - low + 1n)) >> 64n);
  }

  /** Standard normal, by the polar method of Marsaglia. */
  normal(): number {
    if (this.#spare !== undefined) {
      const value = this.#spare;
      this.#spare = undefined;
      return value;
    }
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const s = u * u + v * v;
      if (s > 0 && s < 1) {
        const scale = Math.sqrt((-2 * Math.log(s)) / s);
        this.#spare = v * scale;
        return u * scale;
      }
    }
  }
}

function rotateLeft(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}
