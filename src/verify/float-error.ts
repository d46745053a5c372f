/** How far codes are from real numbers. */
export interface FloatError {
  readonly samples: number;
  readonly maxAbsError: number;
  readonly meanAbsError: number;
  /** 10 log10 of signal power over error power; null where there is no error at all, or no signal. */
  readonly sqnrDb: number | null;
  /** Share of inferences whose greatest output is the same one, 0 to 1; null for one output alone. */
  readonly argmaxAgreement: number | null;
}

/** Adds up the error of one output over many inferences. */
export class FloatErrorMeter {
  #samples = 0;
  #numbers = 0;
  #max = 0;
  #sum = 0;
  #signal = 0;
  #noise = 0;
  #agreeing = 0;
  #isVector = false;

  /** One inference: what came out, and what the float network says. */
  add(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
    this.#samples++;
    this.#isVector ||= expected.length > 1;
    for (let i = 0; i < expected.length; i++) {
      const error = Math.abs(actual[i] - expected[i]);
      this.#numbers++;
      this.#max = Math.max(this.#max, error);
      this.#sum += error;
      this.#signal += expected[i] * expected[i];
      this.#noise += error * error;
    }
    if (indexOfMax(actual) === indexOfMax(expected)) this.#agreeing++;
  }

  result(): FloatError {
    const isMeasurable = this.#noise > 0 && this.#signal > 0;
    return {
      samples: this.#samples,
      maxAbsError: this.#max,
      meanAbsError: this.#numbers === 0 ? 0 : this.#sum / this.#numbers,
      sqnrDb: isMeasurable ? 10 * Math.log10(this.#signal / this.#noise) : null,
      argmaxAgreement: this.#isVector && this.#samples > 0 ? this.#agreeing / this.#samples : null,
    };
  }
}

function indexOfMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
