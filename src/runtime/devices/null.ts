import { Worker } from "node:worker_threads";
import { packetBytes } from "../../artifact/index.ts";
import { fail } from "../../base/index.ts";
import type { Device, Kernel } from "../device.ts";

export interface NullOptions {
  /** Time of one run, and of each inference in it. Both 0 by default. */
  readonly runMs?: number;
  readonly rowMs?: number;
}

/**
 * Computes nothing: answers zeros after a fixed service time, for measuring what stands around a device.
 * Each kernel is a compute unit of its own that does one run after the other; runs that wait for it start
 * the moment it is free, so that its rate is exactly one over the service time.
 */
export function createNullDevice({ runMs = 0, rowMs = 0 }: NullOptions = {}): Device {
  for (const ms of [runMs, rowMs]) {
    if (!(ms >= 0 && ms < 1e6)) {
      fail("N2F_OPTION_INVALID", `a service time of ${ms} ms is not possible`, {
        hint: "Give a time from 0 to 1,000,000 ms.",
      });
    }
  }
  const clock = new PreciseClock();
  return {
    info: () => ({
      name: "null",
      description: `computes nothing; ${runMs} ms for a run, ${rowMs} ms for each inference`,
      isComputing: false,
    }),
    load: async ({ manifest }) => nullKernel(packetBytes(manifest.outputs), runMs, rowMs, clock),
    close: async () => clock.close(),
  };
}

function nullKernel(
  outputBytes: number,
  runMs: number,
  rowMs: number,
  clock: PreciseClock,
): Kernel {
  let freeAtMs = 0;
  return {
    run: async (_inputs, count) => {
      const serviceMs = runMs + rowMs * count;
      if (serviceMs > 0) {
        freeAtMs = Math.max(freeAtMs, performance.now()) + serviceMs;
        await clock.until(freeAtMs);
      }
      return new Uint8Array(count * outputBytes);
    },
    close: async () => {},
  };
}

/** Waits at a time, at most; schedulers keep a few runs on a unit. */
const slots = 1024;
const leadPlace = slots + 1;

/** Waking early, at most: what is left to a time is waited for in turns of the event loop. */
const mostLeadMs = 0.5;

/**
 * Waits to some hundredths of a millisecond, where timers of an event loop know whole ones. A thread sleeps on a
 * futex until the next time has nearly come: by as much before it as waking up and telling takes at least. Times
 * stand in memory that it shares, and it is woken only for one that is earlier than what it sleeps for: a message for
 * each would cost more than serving a small request.
 */
class PreciseClock {
  /** How often something has changed; and 1 at the end. */
  readonly #changes = new Int32Array(new SharedArrayBuffer(8));
  /** First when the thread wakes, then a time for each wait; infinite where there is none. Last the lead. */
  readonly #times = new Float64Array(new SharedArrayBuffer(8 * (slots + 2))).fill(
    Number.POSITIVE_INFINITY,
  );
  readonly #waiting = new Map<number, Wait>();
  #free = Array.from({ length: slots }, (_, i) => slots - i);
  #worker: Worker | undefined;

  until(atMs: number): Promise<void> {
    const slot = this.#free.pop();
    if (slot === undefined) {
      return new Promise((resolve) => setTimeout(resolve, atMs - performance.now()));
    }
    this.#worker ??= this.#start();
    const worker = this.#worker;
    return new Promise((resolve) => {
      if (this.#waiting.size === 0) worker.ref();
      this.#waiting.set(slot, { atMs, resolve });
      const at = performance.timeOrigin + atMs;
      this.#times[slot] = at;
      Atomics.add(this.#changes, 0, 1);
      if (at < this.#times[0]) Atomics.notify(this.#changes, 0);
    });
  }

  close(): void {
    if (this.#worker !== undefined) {
      Atomics.store(this.#changes, 1, 1);
      Atomics.add(this.#changes, 0, 1);
      Atomics.notify(this.#changes, 0);
    }
    this.#worker = undefined;
    for (const { resolve } of this.#waiting.values()) resolve();
    this.#waiting.clear();
  }

  #start(): Worker {
    this.#times[leadPlace] = 0;
    const worker = new Worker(clockSource, {
      eval: true,
      execArgv: [],
      name: "n2f-null-clock",
      workerData: { changes: this.#changes, times: this.#times },
    });
    worker.unref();
    worker.on("message", (slot: number) => {
      const wait = this.#waiting.get(slot);
      if (wait === undefined) return;
      this.#adaptLead(performance.now() - wait.atMs);
      this.#finish(worker, slot, wait);
    });
    return worker;
  }

  #finish(worker: Worker, slot: number, wait: Wait): void {
    if (performance.now() < wait.atMs && this.#worker === worker) {
      setImmediate(() => this.#finish(worker, slot, wait));
      return;
    }
    if (!this.#waiting.delete(slot)) return;
    this.#free.push(slot);
    if (this.#waiting.size === 0) worker.unref();
    wait.resolve();
  }

  /** Follows the least of what waking takes: down at once, up slowly. */
  #adaptLead(lateMs: number): void {
    const lead = this.#times[leadPlace];
    const took = lead + lateMs;
    const next = lead + (took - lead) * (took < lead ? 0.5 : 0.02);
    this.#times[leadPlace] = Math.min(mostLeadMs, Math.max(0, next));
  }
}

interface Wait {
  readonly atMs: number;
  readonly resolve: () => void;
}

/** Text, for the reason that `emulator-worker.ts` gives. */
const clockSource = `"use strict";
const { parentPort, workerData } = require("node:worker_threads");
const { changes, times } = workerData;
for (;;) {
  const seen = Atomics.load(changes, 0);
  if (Atomics.load(changes, 1) === 1) break;
  const lead = times[times.length - 1];
  const now = performance.timeOrigin + performance.now() + lead;
  let next = Infinity;
  for (let slot = 1; slot < times.length - 1; slot++) {
    const at = times[slot];
    if (at <= now) {
      times[slot] = Infinity;
      parentPort.postMessage(slot);
    } else if (at < next) next = at;
  }
  times[0] = next;
  Atomics.wait(changes, 0, seen, next - now);
}
parentPort.close();
process.exit(0);
`;
