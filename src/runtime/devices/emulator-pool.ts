import { Worker } from "node:worker_threads";
import { Nn2fpgaError } from "../../base/index.ts";
import { type EmulatorModule, stopped } from "./emulator-instance.ts";
import { type WorkerAnswer, type WorkerRequest, workerSource } from "./emulator-worker.ts";

/** A part of a request's packets, for one worker. */
export interface PoolTask {
  readonly kernel: number;
  readonly emulator: EmulatorModule;
  readonly inputs: SharedArrayBuffer;
  readonly inputOffset: number;
  readonly outputs: SharedArrayBuffer;
  readonly first: number;
  readonly count: number;
}

interface QueuedTask extends PoolTask {
  readonly done: (elapsedMs: number) => void;
  readonly failed: (error: unknown) => void;
}

interface Member {
  readonly worker: Worker;
  /** Kernels whose module the worker has. */
  readonly kernels: Set<number>;
  task: QueuedTask | undefined;
}

/**
 * Threads that run emulators. They are made when they are first needed, serve all kernels of a device, and
 * keep the process alive only while they work.
 */
export class EmulatorPool {
  readonly #threads: number;
  readonly #members = new Set<Member>();
  readonly #queue: QueuedTask[] = [];
  #isClosed = false;

  constructor(threads: number) {
    this.#threads = threads;
  }

  /**
   * Runs a task on the next free thread, and gives the time that it took there.
   * @throws InternalError where the emulator stops; N2F_SIMULATION_FAILED where a thread or the pool ends
   */
  run(task: PoolTask): Promise<number> {
    return new Promise((done, failed) => {
      if (this.#isClosed) throw ended(task.emulator.name, "the device was closed");
      this.#queue.push({ ...task, done, failed });
      this.#next();
    });
  }

  /** Lets the threads forget a kernel. */
  forget(kernel: number): void {
    for (const { worker, kernels } of this.#members) {
      if (kernels.delete(kernel)) send(worker, { kind: "close", kernel });
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const tasks = [...this.#queue.splice(0), ...[...this.#members].map((member) => member.task)];
    const members = [...this.#members];
    this.#members.clear();
    await Promise.all(members.map(({ worker }) => worker.terminate()));
    for (const task of tasks) task?.failed(ended(task.emulator.name, "the device was closed"));
  }

  /** Gives tasks to free threads, or to new ones while there may be more. */
  #next(): void {
    while (this.#queue.length > 0) {
      const idle =
        [...this.#members].find(({ task }) => task === undefined) ??
        (this.#members.size < this.#threads ? this.#add() : undefined);
      if (idle === undefined) return;
      this.#start(idle, this.#queue.shift() as QueuedTask);
    }
  }

  #start(member: Member, task: QueuedTask): void {
    const { worker, kernels } = member;
    const { kernel, emulator, inputs, inputOffset, outputs, first, count } = task;
    member.task = task;
    worker.ref();
    if (!kernels.has(kernel)) {
      const { module, inputBytes, outputBytes } = emulator;
      send(worker, { kind: "open", kernel, module, inputBytes, outputBytes });
      kernels.add(kernel);
    }
    send(worker, { kind: "run", kernel, inputs, inputOffset, outputs, first, count });
  }

  #add(): Member {
    // Flags of this process, such as loaders, are no concern of the worker's few lines.
    const worker = new Worker(workerSource, { eval: true, execArgv: [], name: "n2f-emulator" });
    const member: Member = { worker, kernels: new Set(), task: undefined };
    this.#members.add(member);
    worker.unref();
    worker.on("message", ({ elapsedMs, error }: WorkerAnswer) => {
      const { task } = member;
      member.task = undefined;
      worker.unref();
      if (error === undefined) task?.done(elapsedMs);
      else task?.failed(stopped(task.emulator.name, error));
      this.#next();
    });
    const leave = (reason: string): void => {
      if (!this.#members.delete(member)) return;
      member.task?.failed(ended(member.task.emulator.name, reason));
      this.#next();
    };
    worker.on("error", (error) => leave(`its thread failed: ${error.message}`));
    worker.on("exit", (code) => leave(`its thread ended with code ${code}`));
    return member;
  }
}

function send(worker: Worker, request: WorkerRequest): void {
  worker.postMessage(request);
}

function ended(name: string, reason: string): Nn2fpgaError {
  return new Nn2fpgaError({
    code: "N2F_SIMULATION_FAILED",
    message: `the emulator did not finish: ${reason}`,
    at: name,
  });
}
