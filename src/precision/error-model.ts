/**
 * What is believed of the error that each knob makes at each width. Errors of different places hardly
 * correlate, so their powers add up, and a bit less makes four times the power: that is where it starts.
 * Every measured network then corrects it.
 */
export class ErrorModel {
  readonly #powers: ReadonlyMap<string, number>;
  readonly #atBits: number;
  /** What measurements made of the law, by knob and width. */
  readonly #corrections = new Map<string, number>();

  /** @param powers error power over signal power of each knob alone, with `atBits` bits */
  constructor(powers: ReadonlyMap<string, number>, atBits: number) {
    this.#powers = powers;
    this.#atBits = atBits;
  }

  powerAt(id: string, bits: number): number {
    const power = (this.#powers.get(id) as number) * 4 ** (this.#atBits - bits);
    return power * (this.#corrections.get(`${id} ${bits}`) ?? 1);
  }

  /** Error power over signal power of a network with these widths. */
  predict(knobs: ReadonlyMap<string, number>): number {
    let sum = 0;
    for (const [id, bits] of knobs) sum += this.powerAt(id, bits);
    return sum;
  }

  /** Hands the difference from a measurement out to the knobs, each by its share in the error. */
  learn(knobs: ReadonlyMap<string, number>, measured: number): void {
    const predicted = this.predict(knobs);
    if (!(predicted > 0 && measured > 0)) return;
    const miss = Math.log(measured / predicted);
    for (const [id, bits] of knobs) {
      const share = this.powerAt(id, bits) / predicted;
      const key = `${id} ${bits}`;
      this.#corrections.set(key, (this.#corrections.get(key) ?? 1) * Math.exp(miss * share));
    }
  }
}
