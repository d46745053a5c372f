import type { ActiveRequest } from "../core/active-request.ts";

/** First in, first out; taken entries are skipped and swept up now and then. */
class Fifo {
  #entries: ActiveRequest[] = [];
  #head = 0;

  push(request: ActiveRequest): void {
    this.#entries.push(request);
  }

  /** Visits what is still there until `visit` says false. */
  walk(
    isThere: (request: ActiveRequest) => boolean,
    visit: (r: ActiveRequest) => boolean,
  ): boolean {
    const entries = this.#entries;
    while (this.#head < entries.length && !isThere(entries[this.#head])) this.#head++;
    if (this.#head > 64 && this.#head * 2 > entries.length) {
      this.#entries = entries.slice(this.#head);
      this.#head = 0;
    }
    for (let i = this.#head; i < this.#entries.length; i++) {
      const request = this.#entries[i];
      if (isThere(request) && !visit(request)) return false;
    }
    return true;
  }
}

/**
 * Waiting requests by level: 0 is served first. A request that is cancelled or taken leaves at once in the
 * counts and later in memory.
 */
export class RequestQueue {
  readonly #levels: readonly Fifo[];
  readonly #levelCounts: number[];
  readonly #there = new Map<ActiveRequest, { readonly level: number; readonly bytes: number }>();
  #rows = 0;
  #bytes = 0;

  constructor(levels: number) {
    this.#levels = Array.from({ length: levels }, () => new Fifo());
    this.#levelCounts = new Array<number>(levels).fill(0);
  }

  get count(): number {
    return this.#there.size;
  }

  /** Rows that no run has taken yet. */
  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#bytes;
  }

  countOf(level: number): number {
    return this.#levelCounts[level];
  }

  push(request: ActiveRequest, level: number): void {
    request.level = level;
    const bytes = request.inputBytes;
    this.#levels[level].push(request);
    this.#levelCounts[level]++;
    this.#there.set(request, { level, bytes });
    this.#rows += request.rows - request.rowsTaken;
    this.#bytes += bytes;
  }

  /** Whether it was there. */
  remove(request: ActiveRequest): boolean {
    const entry = this.#there.get(request);
    if (entry === undefined) return false;
    this.#there.delete(request);
    this.#levelCounts[entry.level]--;
    this.#rows -= request.rows - request.rowsTaken;
    this.#bytes -= entry.bytes;
    return true;
  }

  /** Notes that a run takes rows of a request; with the last of them it leaves. */
  take(request: ActiveRequest, rows: number): void {
    request.rowsTaken += rows;
    this.#rows -= rows;
    if (request.rowsTaken === request.rows) this.remove(request);
  }

  /** Visits the waiting in the order in which they are due, until `visit` says false. */
  walk(visit: (request: ActiveRequest) => boolean): void {
    for (let level = 0; level < this.#levels.length; level++) {
      // One that was moved to another level still has its old place here.
      const isThere = (request: ActiveRequest): boolean =>
        request.level === level && this.#there.has(request);
      if (this.#levelCounts[level] > 0 && !this.#levels[level].walk(isThere, visit)) return;
    }
  }

  all(): ActiveRequest[] {
    return [...this.#there.keys()];
  }
}
