import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from "node:worker_threads";
import { packagePath } from "../tools/index.ts";
import type { Answer, CallPlan } from "./caller.ts";
import { type InferRequest, type ModelDescription, ServiceError } from "./service.ts";

export interface WorkerSetup {
  readonly plan: CallPlan;
  /** Counts the answers, so that a blocked thread wakes. */
  readonly signal: Int32Array;
  /** The worker's end of the line. */
  readonly port: MessagePort;
}

export type WorkerCall =
  | { readonly kind: "infer"; readonly id: number; readonly request: InferRequest }
  | { readonly kind: "describe"; readonly id: number }
  | { readonly kind: "close"; readonly id: number };

export interface WorkerAnswer {
  readonly id: number;
  readonly value?: Answer | ModelDescription | undefined;
  readonly error?: {
    readonly message: string;
    readonly service: string;
    readonly status: number | undefined;
    readonly isTold: boolean;
  };
}

/**
 * Makes calls in a thread of its own. The calling thread either goes on (PseudoAsync) or stands still until
 * the answer is there (Sync), as a job's module does that knows nothing of callbacks.
 */
export class ThreadCaller {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #signal: Int32Array;
  readonly #open = new Map<number, (answer: WorkerAnswer) => void>();
  #nextId = 0;

  constructor(plan: CallPlan) {
    this.#signal = new Int32Array(new SharedArrayBuffer(4));
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const setup: WorkerSetup = { plan, signal: this.#signal, port: port2 };
    // Node runs workers from JavaScript: the built file, wherever this one runs from.
    const program = packagePath("dist", "client", "worker.js");
    this.#worker = new Worker(program, { workerData: setup, transferList: [port2] });
    this.#worker.unref();
    this.#port.on("message", (answer: WorkerAnswer) => this.#settle(answer));
    this.#port.unref();
    this.#worker.on("error", (cause) => {
      for (const [id, settle] of this.#open) {
        settle({
          id,
          error: { message: cause.message, service: "client", status: 13, isTold: true },
        });
      }
    });
  }

  infer(request: InferRequest): Promise<Answer> {
    return this.#call({ kind: "infer", id: this.#nextId++, request }) as Promise<Answer>;
  }

  describe(): Promise<ModelDescription> {
    return this.#call({ kind: "describe", id: this.#nextId++ }) as Promise<ModelDescription>;
  }

  /** Stands still until the answer is there. */
  inferBlocking(request: InferRequest): Answer {
    return this.#block({ kind: "infer", id: this.#nextId++, request }) as Answer;
  }

  async close(): Promise<void> {
    await this.#call({ kind: "close", id: this.#nextId++ });
    await this.#worker.terminate();
  }

  #call(call: WorkerCall): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#open.set(call.id, (answer) => {
        if (answer.error === undefined) resolve(answer.value);
        else reject(errorOf(answer.error));
      });
      this.#port.ref();
      this.#port.postMessage(call);
    });
  }

  #block(call: WorkerCall): unknown {
    let found: WorkerAnswer | undefined;
    this.#open.set(call.id, (answer) => {
      found = answer;
    });
    let seen = Atomics.load(this.#signal, 0);
    this.#port.postMessage(call);
    while (found === undefined) {
      Atomics.wait(this.#signal, 0, seen);
      seen = Atomics.load(this.#signal, 0);
      // Answers to other calls come along.
      for (
        let got = receiveMessageOnPort(this.#port);
        got;
        got = receiveMessageOnPort(this.#port)
      ) {
        this.#settle(got.message as WorkerAnswer);
      }
    }
    if (found.error !== undefined) throw errorOf(found.error);
    return found.value;
  }

  #settle(answer: WorkerAnswer): void {
    const settle = this.#open.get(answer.id);
    this.#open.delete(answer.id);
    if (this.#open.size === 0) this.#port.unref();
    settle?.(answer);
  }
}

function errorOf({ message, service, status, isTold }: NonNullable<WorkerAnswer["error"]>): Error {
  if (!isTold) return new Error(message);
  const prefix = `${service}: `;
  const text = message.startsWith(prefix) ? message.slice(prefix.length) : message;
  return new ServiceError(service, status ?? 13, text);
}
