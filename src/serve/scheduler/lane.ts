/** A model that has work for a device. */
export interface LaneUser {
  /** Starts one run on the lane, if there is something to start. */
  dispatch(lane: DeviceLane): boolean;
}

/**
 * A device that models share. So many runs may be on it at a time; whose run is next is decided by the time
 * that each model has had (start-time fair queuing), not by who has the longest queue.
 *
 * @see P. Goyal, H. Vin, H. Cheng: Start-time Fair Queueing (SIGCOMM 1996), section 2
 */
export class DeviceLane {
  readonly name: string;
  readonly #maxRuns: number;
  readonly #waiting = new Set<LaneUser>();
  /** Virtual time of each model in milliseconds of the device. */
  readonly #times = new Map<LaneUser, number>();
  #virtualMs = 0;
  #runs = 0;
  #isWoken = false;

  constructor(name: string, maxRuns: number) {
    this.name = name;
    this.#maxRuns = maxRuns;
  }

  /** Nothing runs on it. */
  get isIdle(): boolean {
    return this.#runs === 0;
  }

  /** Asks for a turn: all that arrive in this turn of the event loop are looked at together. */
  request(user: LaneUser): void {
    this.#waiting.add(user);
    this.#wake();
  }

  /** A run begins; `expectedMs` is what the model will be charged, until `end` knows better. */
  begin(user: LaneUser, expectedMs: number): void {
    this.#runs++;
    const start = Math.max(this.#times.get(user) ?? 0, this.#virtualMs);
    this.#virtualMs = start;
    this.#times.set(user, start + expectedMs);
  }

  /** A run has ended. */
  end(user: LaneUser, expectedMs: number, actualMs: number): void {
    this.#runs--;
    this.#times.set(user, (this.#times.get(user) ?? 0) + actualMs - expectedMs);
    this.#wake();
  }

  forget(user: LaneUser): void {
    this.#waiting.delete(user);
    this.#times.delete(user);
  }

  #wake(): void {
    if (this.#isWoken) return;
    this.#isWoken = true;
    // Not at once: kernels in this thread would keep sockets from being read.
    setImmediate(() => {
      this.#isWoken = false;
      this.#serve();
    });
  }

  #serve(): void {
    while (this.#runs < this.#maxRuns && this.#waiting.size > 0) {
      const user = this.#next();
      if (!user.dispatch(this)) this.#waiting.delete(user);
    }
  }

  #next(): LaneUser {
    let best: LaneUser | undefined;
    let bestMs = Number.POSITIVE_INFINITY;
    for (const user of this.#waiting) {
      const ms = Math.max(this.#times.get(user) ?? 0, this.#virtualMs);
      if (ms < bestMs) [best, bestMs] = [user, ms];
    }
    return best as LaneUser;
  }
}
