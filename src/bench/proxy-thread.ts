import { connect } from "node:net";
import { Worker } from "node:worker_threads";
import { packagePath } from "../tools/index.ts";
import type { DelayProxyPlan } from "./delay-proxy.ts";
import { percentile } from "./percentiles.ts";

/** A delay proxy in a thread of its own, so that what measures does not wait for what delays. */
export interface ProxyThread {
  readonly address: string;
  close(): Promise<void>;
}

export function startProxyThread(plan: DelayProxyPlan): Promise<ProxyThread> {
  // Node runs workers from JavaScript: the built file, wherever this one runs from.
  const worker = new Worker(packagePath("dist", "bench", "proxy-worker.js"), { workerData: plan });
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", (address: string) => {
      resolve({
        address,
        close: async () => {
          await worker.terminate();
        },
      });
    });
  });
}

/**
 * The round trip that a delay proxy really makes: a byte goes to a port that sends it back, several times.
 *
 * @param address of a proxy whose target is an echo
 * @returns the median in ms
 */
export function measureRtt(address: string, tries = 9): Promise<number> {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), noDelay: true });
    const seen: number[] = [];
    let sentAt = 0;
    const send = () => {
      sentAt = performance.now();
      socket.write(".");
    };
    socket.on("connect", send);
    socket.on("error", reject);
    socket.on("data", () => {
      seen.push(performance.now() - sentAt);
      if (seen.length < tries) return send();
      socket.destroy();
      resolve(percentile(Float64Array.from(seen).sort(), 0.5));
    });
  });
}
