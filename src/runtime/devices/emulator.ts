import { availableParallelism } from "node:os";
import type { Bundle } from "../../artifact/index.ts";
import { fail } from "../../base/index.ts";
import type { Device, Kernel } from "../device.ts";
import { compileEmulator, EmulatorInstance, type EmulatorModule } from "./emulator-instance.ts";
import { EmulatorPool } from "./emulator-pool.ts";

export interface EmulatorOptions {
  /** Threads beside the caller's own; 0 computes everything in that. By default one for each core. */
  readonly threads?: number;
}

/**
 * Runs bundles on the processor, by the WebAssembly module that each brings along. Small requests are
 * computed in the calling thread at once; larger ones are divided among threads.
 *
 * @throws N2F_OPTION_INVALID
 */
export function createEmulatorDevice({
  threads = availableParallelism(),
}: EmulatorOptions = {}): Device {
  if (!Number.isInteger(threads) || threads < 0) {
    fail("N2F_OPTION_INVALID", `${threads} threads are not possible`, {
      hint: "Give a whole number; 0 uses the calling thread only.",
    });
  }
  const pool = new EmulatorPool(threads);
  let kernels = 0;
  return {
    info: () => ({
      name: "emulator",
      description: `bit-exact emulator, ${threads} thread${threads === 1 ? "" : "s"}`,
    }),
    load: async (bundle: Bundle) => {
      const emulator = await compileEmulator(bundle);
      return new EmulatorKernel(emulator, kernels++, pool, threads);
    },
    close: () => pool.close(),
  };
}

/** The calling thread is not kept for longer than this, about what a way to another thread and back costs. */
const inlineMs = 0.2;
/** Samples that the emulator computes together, at most. */
const blockSamples = 16;
/** A part for a thread should take at least so long. */
const partMs = 0.2;

class EmulatorKernel implements Kernel {
  readonly #emulator: EmulatorModule;
  readonly #id: number;
  readonly #pool: EmulatorPool;
  readonly #threads: number;
  readonly #own: EmulatorInstance;
  /** Time of a block of samples as measured so far; it only decides where to compute. */
  #blockMs: number;
  #isClosed = false;

  constructor(emulator: EmulatorModule, id: number, pool: EmulatorPool, threads: number) {
    this.#emulator = emulator;
    this.#id = id;
    this.#pool = pool;
    this.#threads = threads;
    this.#own = new EmulatorInstance(emulator);
    // The first run also compiles.
    this.#blockMs = Math.min(...[1, 2, 3].map(() => this.#tryBlock()));
  }

  #tryBlock(): number {
    const samples = Math.min(blockSamples, this.#own.batch);
    const started = performance.now();
    this.#own.run(new Uint8Array(samples * this.#emulator.inputBytes), samples);
    return performance.now() - started;
  }

  async run(inputs: Uint8Array, count: number): Promise<Uint8Array> {
    const { name, inputBytes } = this.#emulator;
    if (this.#isClosed) throw new Error(`the kernel of ${name} is closed`);
    if (!Number.isInteger(count) || count < 0 || inputs.length !== count * inputBytes) {
      fail(
        "N2F_DATA_SHAPE",
        `${inputs.length} bytes are not ${count} packets of ${inputBytes} bytes`,
        { at: name },
      );
    }
    if (this.#threads === 0 || (count / blockSamples) * this.#blockMs <= inlineMs) {
      const started = performance.now();
      const outputs = this.#own.run(inputs, count);
      this.#learn(performance.now() - started, count);
      return outputs;
    }
    return this.#runDivided(inputs, count);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#pool.forget(this.#id);
  }

  /** Packets go to memory that all threads see; each does its part of them there. */
  async #runDivided(inputs: Uint8Array, count: number): Promise<Uint8Array> {
    const { outputBytes } = this.#emulator;
    const shared = share(inputs);
    const outputs = new SharedArrayBuffer(count * outputBytes);
    // Whole blocks, so that none is computed for less than it could hold.
    const blocks = Math.ceil(count / blockSamples);
    const worthwhile = Math.floor((blocks * this.#blockMs) / partMs);
    const parts = Math.max(1, Math.min(this.#threads, blocks, worthwhile));
    const size = Math.ceil(blocks / parts) * blockSamples;
    const runs: Promise<void>[] = [];
    for (let first = 0; first < count; first += size) {
      const task = {
        kernel: this.#id,
        emulator: this.#emulator,
        inputs: shared.buffer,
        inputOffset: shared.byteOffset,
        outputs,
        first,
        count: Math.min(size, count - first),
      };
      runs.push(this.#pool.run(task).then((elapsedMs) => this.#learn(elapsedMs, task.count)));
    }
    // Every part ends before the memory is let go, whatever becomes of the others.
    const results = await Promise.allSettled(runs);
    for (const result of results) if (result.status === "rejected") throw result.reason;
    return new Uint8Array(outputs).slice();
  }

  #learn(elapsedMs: number, count: number): void {
    if (count < blockSamples) return;
    this.#blockMs += ((elapsedMs * blockSamples) / count - this.#blockMs) / 8;
  }
}

/** The same bytes in memory that other threads see; copied unless they are in such already. */
function share(bytes: Uint8Array): { buffer: SharedArrayBuffer; byteOffset: number } {
  const { buffer, byteOffset } = bytes;
  if (buffer instanceof SharedArrayBuffer) return { buffer, byteOffset };
  const copy = new SharedArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return { buffer: copy, byteOffset: 0 };
}
