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

/**
 * Waits to a tenth of a millisecond, where timers of an event loop know whole ones. A thread sleeps on a
 * futex until the next time has come; nobody spins.
 */
class PreciseClock {
  readonly #changes = new Int32Array(new SharedArrayBuffer(4));
  readonly #waiting = new Map<number, () => void>();
  #worker: Worker | undefined;
  #next = 0;

  until(atMs: number): Promise<void> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    return new Promise((resolve) => {
      const id = this.#next++;
      this.#waiting.set(id, resolve);
      worker.ref();
      this.#send(worker, { id, at: performance.timeOrigin + atMs });
    });
  }

  close(): void {
    if (this.#worker !== undefined) this.#send(this.#worker, { id: -1, at: 0 });
    this.#worker = undefined;
    for (const resolve of this.#waiting.values()) resolve();
    this.#waiting.clear();
  }

  #send(worker: Worker, message: { readonly id: number; readonly at: number }): void {
    worker.postMessage(message);
    Atomics.add(this.#changes, 0, 1);
    Atomics.notify(this.#changes, 0);
  }

  #start(): Worker {
    const worker = new Worker(clockSource, {
      eval: true,
      execArgv: [],
      name: "n2f-null-clock",
      workerData: this.#changes,
    });
    worker.unref();
    worker.on("message", (id: number) => {
      const resolve = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) worker.unref();
      resolve?.();
    });
    return worker;
  }
}

/** Text, for the reason that `emulator-worker.ts` gives. Messages are taken without an event loop. */
const clockSource = `"use strict";
const { parentPort, receiveMessageOnPort, workerData: changes } = require("node:worker_threads");
const times = new Map();
for (let isOpen = true; isOpen; ) {
  const seen = Atomics.load(changes, 0);
  for (let entry; (entry = receiveMessageOnPort(parentPort)) !== undefined; ) {
    if (entry.message.id < 0) isOpen = false;
    else times.set(entry.message.id, entry.message.at);
  }
  const now = performance.timeOrigin + performance.now();
  let next = Infinity;
  for (const [id, at] of times) {
    if (at <= now) {
      times.delete(id);
      parentPort.postMessage(id);
    } else if (at < next) next = at;
  }
  if (isOpen) Atomics.wait(changes, 0, seen, next - now);
}
parentPort.close();
process.exit(0);
`;
