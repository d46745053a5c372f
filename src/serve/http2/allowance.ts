/**
 * How often something may happen: `burst` times at once, and `perSecond` in the long run. Clients may give up thousands
 * of requests where a deadline passes; a flood of resets or of empty frames is an attack.
 */
export class Allowance {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
  }

  /** Whether it may happen once more. */
  take(): boolean {
    return --this.#left >= 0;
  }

  /** A second has passed. */
  tick(): void {
    this.#left = Math.min(this.#burst, Math.max(0, this.#left) + this.#perSecond);
  }
}
