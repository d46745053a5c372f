import type { Pressure } from "../core/index.ts";
import type { Http2Stream } from "../http2/index.ts";

/**
 * Streams that came while memory was short. They are not read, so that their clients get no more window;
 * what a client had window for already waits in the stream. Requests that have begun go on, as only
 * they can relieve the pressure.
 */
export class Parking {
  readonly #pressure: Pressure;
  #parked: readonly { readonly stream: Http2Stream; readonly serve: () => void }[] = [];
  #isAwaitingRelief = false;

  constructor(pressure: Pressure) {
    this.#pressure = pressure;
  }

  /** Calls `serve` when memory is there, or `refuse` now if too much is parked already. */
  park(stream: Http2Stream, serve: () => void, refuse: () => void): void {
    const parked = this.#parked.filter(({ stream }) => !stream.isClosed);
    const bytes = parked.reduce((sum, { stream }) => sum + stream.heldBytes, 0);
    this.#parked = parked;
    if (bytes > this.#pressure.limitBytes) {
      refuse();
      return;
    }
    parked.push({ stream, serve });
    this.#awaitRelief();
  }

  #awaitRelief(): void {
    if (this.#isAwaitingRelief || this.#parked.length === 0) return;
    this.#isAwaitingRelief = true;
    this.#pressure.onRelief(() => {
      this.#isAwaitingRelief = false;
      this.#release();
    });
  }

  /** In the order in which they came, until memory is short again. */
  #release(): void {
    let count = 0;
    while (count < this.#parked.length && !(count > 0 && this.#pressure.isHigh)) {
      const { stream, serve } = this.#parked[count++];
      if (!stream.isClosed) serve();
    }
    this.#parked = this.#parked.slice(count);
    this.#awaitRelief();
  }
}
