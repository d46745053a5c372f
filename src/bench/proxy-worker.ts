import { parentPort, workerData } from "node:worker_threads";
import { DelayProxy, type DelayProxyPlan } from "./delay-proxy.ts";

const proxy = await DelayProxy.start(workerData as DelayProxyPlan);
parentPort?.postMessage(proxy.address);
