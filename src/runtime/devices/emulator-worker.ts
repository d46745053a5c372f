/** What is sent to a worker: to take a module, to run packets with it, to forget it. */
export type WorkerRequest =
  | {
      readonly kind: "open";
      readonly kernel: number;
      readonly module: unknown;
      readonly inputBytes: number;
      readonly outputBytes: number;
    }
  | {
      readonly kind: "run";
      readonly kernel: number;
      /** Packets of all inferences of a request; the worker does some of them. */
      readonly inputs: SharedArrayBuffer;
      /** Where the first packet of the request stands. */
      readonly inputOffset: number;
      readonly outputs: SharedArrayBuffer;
      readonly first: number;
      readonly count: number;
    }
  | { readonly kind: "close"; readonly kernel: number };

/** The answer to a `run`. */
export interface WorkerAnswer {
  readonly elapsedMs: number;
  /** Why it failed. */
  readonly error?: Error;
}

/**
 * The program of a worker, as JavaScript text. It is text because a worker of Node 20 starts from a
 * JavaScript file or from text, and this project's files are TypeScript while it is developed and tested:
 * no path would be right both then and in `dist`. It is short, and does what `EmulatorInstance.run` does.
 */
export const workerSource = `"use strict";
const { parentPort } = require("node:worker_threads");
const kernels = new Map();

function open({ kernel, module, inputBytes, outputBytes }) {
  kernels.set(kernel, { module, inputBytes, outputBytes, exports: undefined });
}

function run({ kernel, inputs, inputOffset, outputs, first, count }) {
  const entry = kernels.get(kernel);
  entry.exports ??= new WebAssembly.Instance(entry.module).exports;
  const { inputBytes, outputBytes, exports } = entry;
  const memory = new Uint8Array(exports.memory.buffer);
  const from = exports.input.value >>> 0;
  const to = exports.output.value >>> 0;
  const batch = exports.batch.value;
  for (let done = 0; done < count; done += batch) {
    const samples = Math.min(batch, count - done);
    const at = first + done;
    memory.set(new Uint8Array(inputs, inputOffset + at * inputBytes, samples * inputBytes), from);
    exports.run(samples);
    new Uint8Array(outputs, at * outputBytes, samples * outputBytes).set(
      memory.subarray(to, to + samples * outputBytes),
    );
  }
}

parentPort.on("message", (request) => {
  if (request.kind === "open") return open(request);
  if (request.kind === "close") return void kernels.delete(request.kernel);
  const started = performance.now();
  let error;
  try {
    run(request);
  } catch (cause) {
    error = cause;
  }
  parentPort.postMessage({ elapsedMs: performance.now() - started, error });
});
`;
