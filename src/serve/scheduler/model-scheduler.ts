import type { ActiveRequest } from "../core/active-request.ts";
import { asServeError, ServeError } from "../core/serve-error.ts";
import type { ModelSignature } from "../core/signature.ts";
import type { FailureReason } from "../core/statistics.ts";
import type { Executor, RunPart } from "./executor.ts";
import type { DeviceLane, LaneUser } from "./lane.ts";
import { OrderedLine } from "./ordered-line.ts";
import type { LevelPolicy, QueueLimits, SchedulingPolicy } from "./policy.ts";
import type { Recorder, RunTimes } from "./recorder.ts";
import { RequestQueue } from "./request-queue.ts";
import { ServedModel } from "./served-model.ts";

export interface ModelSchedulerOptions {
  readonly signature: ModelSignature;
  readonly recorder: Recorder;
  readonly policy: SchedulingPolicy;
  readonly limits: QueueLimits;
  /** At least one. */
  readonly executors: readonly Executor[];
}

/** Runs on one executor at a time: one computes while the next one's rows are packed. */
const leastDepth = 2;
/**
 * Short runs may stand deeper, so that the device has work while this thread is busy with something else: by
 * so many milliseconds of work, and more where the device has run dry while requests waited. What is ahead
 * can be neither cancelled nor overtaken.
 */
const mostDepth = 32;
const leastAheadMs = 4;
const mostAheadMs = 32;
/** How quickly it grows when the device has run dry, and shrinks with each run where it has not. */
const aheadGrowth = 1.5;
const aheadDecay = 0.999;

/** An executor with what is on it. */
interface Unit {
  readonly executor: Executor;
  runs: number;
  rows: number;
  /** Rows so far: equally idle units take turns. */
  total: number;
  /** When its last run ended. */
  freeMs: number;
}

interface Plan {
  readonly parts: readonly RunPart[];
  readonly rows: number;
}

interface Run extends Plan {
  readonly unit: Unit;
  readonly startedMs: number;
  /** What the device is thought to need. */
  readonly expectedMs: number;
}

/**
 * The queue of one model and its runs. Whole requests are packed into a run while they fit; a request that
 * is larger than a run is split, and its last part shares a run with others.
 */
export class ModelScheduler extends ServedModel implements LaneUser {
  readonly #policy: SchedulingPolicy;
  readonly #limits: QueueLimits;
  readonly #units: readonly Unit[];
  readonly #lanes: ReadonlySet<DeviceLane>;
  readonly #queue: RequestQueue;
  #aheadMs = leastAheadMs;
  /** Where answers keep the order of the requests. */
  readonly #line: OrderedLine | undefined;
  /** The level of those that waited too long and are not rejected: behind all others. */
  readonly #delayed: number;
  #msPerRow = 0;
  #runsInFlight = 0;
  #expiry: NodeJS.Timeout | undefined;
  #expiryMs = Number.POSITIVE_INFINITY;
  #delay: NodeJS.Timeout | NodeJS.Immediate | undefined;

  constructor({ signature, recorder, policy, limits, executors }: ModelSchedulerOptions) {
    super(signature, recorder);
    this.#policy = policy;
    this.#limits = limits;
    this.#units = executors.map((executor) => ({
      executor,
      runs: 0,
      rows: 0,
      total: 0,
      freeMs: 0,
    }));
    this.#lanes = new Set(executors.map(({ lane }) => lane));
    this.#delayed = policy.levels.length;
    this.#queue = new RequestQueue(policy.levels.length + 1);
    if (policy.isOrdered) this.#line = new OrderedLine((request) => this.#answer(request));
  }

  override get pendingRequests(): number {
    return this.#queue.count;
  }

  override get pendingBytes(): number {
    return this.#queue.bytes;
  }

  override enqueue(request: ActiveRequest): void {
    const level = this.#levelOf(request);
    const policy = this.#policy.levels[level];
    const now = performance.now();
    request.queuedMs = now;
    if (this.#isFull(request, level, policy)) {
      request.fail(new ServeError("UNAVAILABLE", "Exceeds maximum queue size"), "REJECTED", true);
      return;
    }
    const timeoutUs = timeoutOf(request, policy);
    request.expiresMs = Math.min(
      request.deadlineMs,
      timeoutUs > 0 ? now + timeoutUs / 1000 : Number.POSITIVE_INFINITY,
    );
    if (request.deadlineMs <= now) {
      request.fail(new ServeError("UNAVAILABLE", "Request timeout expired"), "REJECTED", true);
      return;
    }
    this.#queue.push(request, level);
    this.#line?.join(request);
    this.#expireAt(request.expiresMs);
    this.#ask();
  }

  override drop(request: ActiveRequest): void {
    this.#queue.remove(request);
  }

  override left(request: ActiveRequest, failure: FailureReason | undefined): void {
    super.left(request, failure);
    this.#line?.move();
  }

  override abort(): void {
    for (const request of this.#queue.all()) {
      this.#queue.remove(request);
      request.fail(new ServeError("UNAVAILABLE", "Server exiting"), "REJECTED");
    }
  }

  /** Starts one run on a unit of the lane, if a batch is due. */
  dispatch(lane: DeviceLane): boolean {
    const unit = this.#leastLoaded(lane);
    if (unit === undefined || this.#queue.count === 0) return false;
    const plan = this.#plan(unit);
    if (plan === undefined) return false;
    this.#start(unit, plan);
    return true;
  }

  #levelOf({ priority }: ActiveRequest): number {
    const { levels, defaultLevel } = this.#policy;
    return priority >= 1 && priority <= levels.length ? priority - 1 : defaultLevel;
  }

  #isFull(request: ActiveRequest, level: number, { maxQueueSize }: LevelPolicy): boolean {
    if (maxQueueSize > 0 && this.#queue.countOf(level) >= maxQueueSize) return true;
    if (this.#queue.count >= this.#limits.requests) return true;
    // One that is alone in the queue is taken, however large it is.
    return this.#queue.count > 0 && this.#queue.bytes + request.inputBytes > this.#limits.bytes;
  }

  /** Asks the lanes of units that have room for a turn, the least loaded first. */
  #ask(): void {
    if (this.#lanes.size === 1) {
      for (const lane of this.#lanes) lane.request(this);
      return;
    }
    const free = this.#units.filter((unit) => this.#hasRoom(unit)).sort(byLoad);
    for (const { executor } of free) executor.lane.request(this);
  }

  #hasRoom({ runs, rows }: Unit): boolean {
    if (runs < leastDepth) return true;
    const isKnown = this.#msPerRow > 0;
    return isKnown && runs < mostDepth && rows * this.#msPerRow < this.#aheadMs;
  }

  #leastLoaded(lane: DeviceLane): Unit | undefined {
    let best: Unit | undefined;
    for (const unit of this.#units) {
      if (unit.executor.lane !== lane || !this.#hasRoom(unit)) continue;
      if (best === undefined || byLoad(unit, best) < 0) best = unit;
    }
    // No run behind others where another unit, on whatever lane, has fewer.
    const { runs } = best ?? { runs: 0 };
    return runs > 0 && this.#units.some((unit) => unit.runs < runs) ? undefined : best;
  }

  /** The next run, or undefined while more should be waited for. */
  #plan({ executor, runs }: Unit): Plan | undefined {
    const { maxRows, isBatching } = executor;
    const { delayMs, preferredRows } = this.#policy;
    const isSharing = isBatching && this.#policy.isBatching;
    // A run that waits behind another one may as well wait for more rows.
    if (isSharing && runs > 0 && this.#queue.rows < maxRows) return undefined;
    const parts: RunPart[] = [];
    const expired: ActiveRequest[] = [];
    const now = performance.now();
    let [rows, preferredParts, preferredSum, oldestMs] = [0, 0, 0, now];
    let isClosed = !isSharing;
    this.#queue.walk((request) => {
      if (isExpired(request, now)) {
        expired.push(request);
        return true;
      }
      const rest = request.rows - request.rowsTaken;
      if (rows + rest > maxRows) {
        isClosed = true;
        if (rows > 0) return false;
        parts.push({ request, firstRow: request.rowsTaken, rows: maxRows });
        rows = maxRows;
        return false;
      }
      parts.push({ request, firstRow: request.rowsTaken, rows: rest });
      rows += rest;
      oldestMs = Math.min(oldestMs, request.queuedMs);
      if (preferredRows.has(rows)) [preferredParts, preferredSum] = [parts.length, rows];
      if (rows === maxRows) isClosed = true;
      return isSharing && rows < maxRows;
    });
    for (const request of expired) this.#expire(request, now);
    if (parts.length === 0) return undefined;
    if (preferredParts > 0) return { parts: parts.slice(0, preferredParts), rows: preferredSum };
    if (!isClosed && delayMs > 0 && !this.isRetired && now - oldestMs < delayMs) {
      this.#wakeAt(oldestMs + delayMs, now);
      return undefined;
    }
    return { parts, rows };
  }

  #start(unit: Unit, { parts, rows }: Plan): void {
    const { executor } = unit;
    const expectedMs = this.#msPerRow * rows;
    executor.lane.begin(this, expectedMs);
    this.#runsInFlight++;
    unit.runs++;
    unit.rows += rows;
    unit.total += rows;
    const now = performance.now();
    for (const { request, rows: taken } of parts) {
      if (request.rowsTaken === 0) request.startedMs = now;
      request.runsInFlight++;
      this.#queue.take(request, taken);
    }
    const run: Run = { unit, parts, rows, startedMs: now, expectedMs };
    executor.run(parts, rows).then(
      (times) => this.#finish(run, times, undefined),
      (error) => this.#finish(run, undefined, error),
    );
  }

  #finish(
    { unit, parts, rows, startedMs, expectedMs }: Run,
    times: RunTimes | undefined,
    error: unknown,
  ): void {
    const now = performance.now();
    // Without the time that it stood behind other runs of its unit.
    const serviceMs = now - Math.max(startedMs, unit.freeMs);
    unit.freeMs = now;
    this.#runsInFlight--;
    unit.runs--;
    unit.rows -= rows;
    if (times !== undefined) {
      this.#msPerRow += (serviceMs / rows - this.#msPerRow) / 4;
      this.recorder.run(rows, times);
    }
    const { lane } = unit.executor;
    lane.end(this, expectedMs, serviceMs);
    this.#aheadMs =
      lane.isIdle && this.#queue.count > 0
        ? Math.min(mostAheadMs, this.#aheadMs * aheadGrowth)
        : Math.max(leastAheadMs, this.#aheadMs * aheadDecay);
    for (const { request, rows: done } of parts) {
      request.runsInFlight--;
      if (times === undefined) {
        this.#queue.remove(request);
        request.fail(asServeError(error), "BACKEND");
      } else this.#credit(request, done, times);
      request.releaseIfIdle();
    }
    if (this.#queue.count > 0) this.#ask();
    this.checkIdle();
  }

  /** Adds a run to its request; with the last row the request is answered and counted. */
  #credit(request: ActiveRequest, rows: number, times: RunTimes): void {
    if (request.isSettled) return;
    request.rowsDone += rows;
    request.inputMs += times.inputMs;
    request.inferMs += times.inferMs;
    request.outputMs += times.outputMs;
    if (request.rowsDone < request.rows) return;
    if (this.#line === undefined) this.#answer(request);
    else this.#line.finish(request);
  }

  #answer(request: ActiveRequest): void {
    this.recorder.succeed(request.rows, {
      totalMs: performance.now() - request.begunMs,
      queueMs: request.startedMs - request.queuedMs,
      inputMs: request.inputMs,
      inferMs: request.inferMs,
      outputMs: request.outputMs,
    });
    request.succeed();
  }

  #expire(request: ActiveRequest, now: number): void {
    const policy = this.#policy.levels[request.level];
    this.#queue.remove(request);
    if (policy !== undefined && !policy.isRejecting && request.deadlineMs > now) {
      request.expiresMs = request.deadlineMs;
      this.#queue.push(request, this.#delayed);
      this.#expireAt(request.expiresMs);
    } else {
      request.fail(new ServeError("UNAVAILABLE", "Request timeout expired"), "REJECTED");
    }
  }

  #expireAt(ms: number): void {
    if (ms >= this.#expiryMs) return;
    clearTimeout(this.#expiry);
    this.#expiryMs = ms;
    const wait = Math.min(2 ** 31 - 1, Math.max(1, Math.ceil(ms - performance.now())));
    this.#expiry = setTimeout(() => this.#expireAll(), wait);
    this.#expiry.unref();
  }

  #expireAll(): void {
    this.#expiryMs = Number.POSITIVE_INFINITY;
    const now = performance.now();
    const expired: ActiveRequest[] = [];
    let next = Number.POSITIVE_INFINITY;
    this.#queue.walk((request) => {
      if (isExpired(request, now)) expired.push(request);
      else if (request.rowsTaken === 0) next = Math.min(next, request.expiresMs);
      return true;
    });
    for (const request of expired) this.#expire(request, now);
    this.#expireAt(next);
    this.#ask();
  }

  /** Looks again when the oldest has waited long enough; timers know whole milliseconds only. */
  #wakeAt(ms: number, now: number): void {
    if (this.#delay !== undefined) return;
    const again = (): void => {
      this.#delay = undefined;
      this.#ask();
    };
    this.#delay =
      ms - now < 0.5 ? setImmediate(again) : setTimeout(again, Math.max(1, Math.round(ms - now)));
  }

  protected override isIdle(): boolean {
    return super.isIdle() && this.#runsInFlight === 0;
  }

  protected override async release(): Promise<void> {
    clearTimeout(this.#expiry);
    for (const lane of this.#lanes) lane.forget(this);
    await Promise.all(this.#units.map(({ executor }) => executor.close()));
  }
}

function byLoad(a: Unit, b: Unit): number {
  return a.rows - b.rows || a.runs - b.runs || a.total - b.total;
}

/** One whose first rows run already is finished, not thrown away. */
function isExpired(request: ActiveRequest, now: number): boolean {
  return request.expiresMs <= now && request.rowsTaken === 0;
}

function timeoutOf({ timeoutUs }: ActiveRequest, policy: LevelPolicy): number {
  const { defaultTimeoutUs, allowsOverride } = policy;
  if (timeoutUs === 0 || !allowsOverride) return defaultTimeoutUs;
  return defaultTimeoutUs > 0 ? Math.min(timeoutUs, defaultTimeoutUs) : timeoutUs;
}
