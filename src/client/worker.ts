import { workerData } from "node:worker_threads";
import { Caller } from "./caller.ts";
import { ServiceError } from "./service.ts";
import type { WorkerAnswer, WorkerCall, WorkerSetup } from "./thread-caller.ts";

const { plan, signal, port } = workerData as WorkerSetup;
const caller = new Caller(plan);

port.on("message", async (call: WorkerCall) => {
  let answer: WorkerAnswer;
  try {
    if (call.kind === "close") {
      await caller.close();
      answer = { id: call.id, value: undefined };
    } else {
      const value =
        call.kind === "infer" ? await caller.infer(call.request) : await caller.describe();
      answer = { id: call.id, value };
    }
  } catch (error) {
    const { message, service, status } = error as Partial<ServiceError> & Error;
    const isTold = error instanceof ServiceError;
    answer = { id: call.id, error: { message, service: service ?? "client", status, isTold } };
  }
  port.postMessage(answer);
  Atomics.add(signal, 0, 1);
  Atomics.notify(signal, 0);
});
