import type { ActiveRequest } from "../core/active-request.ts";

/**
 * Answers in the order in which requests came (`preserve_ordering`): one that is done early waits for those before it.
 * Failures and cancellations do not wait, and nobody waits for them.
 */
export class OrderedLine {
  readonly #answer: (request: ActiveRequest) => void;
  readonly #done = new Set<ActiveRequest>();
  #line: ActiveRequest[] = [];
  #first = 0;
  #isMoving = false;

  constructor(answer: (request: ActiveRequest) => void) {
    this.#answer = answer;
  }

  join(request: ActiveRequest): void {
    this.#line.push(request);
  }

  /** The request can be answered. */
  finish(request: ActiveRequest): void {
    this.#done.add(request);
    this.move();
  }

  /** Answers those in front that are done. */
  move(): void {
    // An answer lets its request leave, which moves the line.
    if (this.#isMoving) return;
    this.#isMoving = true;
    while (this.#first < this.#line.length) {
      const request = this.#line[this.#first];
      const isDone = this.#done.delete(request);
      if (!isDone && !request.isSettled) break;
      this.#first++;
      if (!request.isSettled) this.#answer(request);
    }
    this.#isMoving = false;
    if (this.#first > 64 && this.#first * 2 > this.#line.length) {
      this.#line = this.#line.slice(this.#first);
      this.#first = 0;
    }
  }
}
