import { join } from "node:path";
import { bundlePaths, readBundle } from "../artifact/index.ts";
import { LocalService } from "../client/index.ts";

import { batchShape, type Samples } from "../tensor/index.ts";
import { loadOnnxRuntime } from "../tools/index.ts";
import { requestTensors, rowsFor } from "./facile.ts";
import { LatencyRecorder } from "./percentiles.ts";
import { type PreparedRequest, type Protocol, prepareRequest } from "./request.ts";
import { resnet50Features } from "./resnet50.ts";
import { imageRequest, serviceMs, withImageServer } from "./scale-out.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { sweep } from "./sweep.ts";

export interface ComparisonPlan {
  /** Its own model runs on the processor beside it. */
  readonly bundle: string;
  readonly inputs?: string;
  /** Of the larger batch. */
  readonly rows: number;
  readonly device: string;
  readonly threads?: number;
  readonly protocol: Protocol;
  readonly rttsMs: readonly number[];
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly onProgress?: (step: string) => void;
}

/** A line of the table: the first papers' columns, and what they say in their notes. */
export interface ComparisonRow {
  readonly model: string;
  readonly type: string;
  readonly note: string;
  /** In the asking process, or a server behind a network. */
  readonly attach: "direct" | "service";
  /** Inferences of a request. */
  readonly batch: number;
  /** Median of a request with nothing else under way. */
  readonly latencyMs: number;
  /** Inferences a second: one caller where it is direct, enough clients to saturate where it is a service. */
  readonly perSecond: number;
  readonly errors: number;
}

/**
 * The same network on the processor, on the device in the same process, and on the device behind a server
 * at several distances; below it ResNet-50 on the processor, and its service with a device that only takes time.
 *
 * @throws N2F_TOOL_MISSING without onnxruntime-node
 */
export async function runComparison(plan: ComparisonPlan): Promise<readonly ComparisonRow[]> {
  const model = readBundle(plan.bundle).manifest.name;
  const batches = [1, plan.rows];
  const rows: ComparisonRow[] = [];
  const say = (step: string) => plan.onProgress?.(step);
  for (const batch of batches) {
    const samples = rowsFor({ ...plan, rows: batch });
    say(`ONNX Runtime, batch ${batch}`);
    const run = await openReference(plan.bundle, samples);
    if (run === undefined) continue;
    rows.push({
      ...{ model, type: "CPU", note: "ONNX Runtime, one thread", attach: "direct", batch },
      ...(await time(run, batch, plan)),
    });
  }
  const local = new LocalService({ repository: plan.bundle, device: plan.device });
  try {
    for (const batch of batches) {
      say(`${plan.device}, direct, batch ${batch}`);
      const inputs = requestTensors(plan.bundle, rowsFor({ ...plan, rows: batch }));
      const run = () => local.infer({ model, version: "", inputs, outputs: [] }, 0);
      rows.push({
        ...{ model, type: plan.device, note: "in this process", attach: "direct", batch },
        ...(await time(run, batch, plan)),
      });
    }
  } finally {
    await local.close();
  }
  const server = await startServerProcess({
    repository: plan.bundle,
    device: plan.device,
    ...(plan.threads !== undefined && { threads: plan.threads }),
  });
  try {
    const inputs = requestTensors(plan.bundle, rowsFor(plan));
    const request = prepareRequest(plan.protocol, model, inputs);
    for (const rttMs of plan.rttsMs) {
      rows.push({
        ...{ model, type: plan.device, note: distance(rttMs), attach: "service", batch: plan.rows },
        ...(await serviceFigures(plan, server, request, { rttMs, batch: plan.rows, clients: 16 })),
      });
    }
  } finally {
    await server.stop();
  }
  say("ResNet-50, ONNX Runtime");
  const resnet = await openResnet();
  rows.push({
    ...{
      model: "ResNet-50",
      type: "CPU",
      note: "ONNX Runtime, one thread, to its features",
      batch: 1,
    },
    attach: "direct",
    ...(await time(resnet.run, 1, plan)),
  });
  await resnet.close();
  await withImageServer(async (images) => {
    for (const rttMs of plan.rttsMs) {
      // Half as many clients again as keep the device busy.
      const clients = Math.ceil((1.5 * (rttMs + serviceMs)) / serviceMs);
      rows.push({
        ...{
          model: "ResNet-50",
          type: `null, ${serviceMs} ms`,
          attach: "service",
          batch: 1,
        },
        note: `${distance(rttMs)}; computes nothing`,
        ...(await serviceFigures(plan, images, imageRequest(plan.protocol), {
          rttMs,
          batch: 1,
          clients,
        })),
      });
    }
  });
  return rows;
}

function distance(rttMs: number): string {
  return rttMs === 0 ? "same machine" : `RTT ${rttMs} ms`;
}

type Figures = Pick<ComparisonRow, "latencyMs" | "perSecond" | "errors">;

async function serviceFigures(
  plan: ComparisonPlan,
  server: ServerProcess,
  request: PreparedRequest,
  load: { readonly rttMs: number; readonly batch: number; readonly clients: number },
): Promise<Figures> {
  const [{ points }] = await sweep({
    ...plan,
    address: server.addresses[plan.protocol],
    request,
    rttsMs: [load.rttMs],
    clients: [1, load.clients],
    loop: { kind: "closed" },
  });
  const [one, many] = points;
  return {
    latencyMs: one.latency.p50Ms,
    perSecond: many.perSecond * load.batch,
    errors: one.errors + many.errors,
  };
}

/** One caller that asks again when it has its answer. */
async function time(
  run: () => Promise<unknown>,
  batch: number,
  { warmupMs, measureMs }: ComparisonPlan,
): Promise<Figures> {
  const latency = new LatencyRecorder();
  const warmUntil = performance.now() + warmupMs;
  do await run();
  while (performance.now() < warmUntil);
  const started = performance.now();
  let now = started;
  while (now - started < measureMs || now === started) {
    await run();
    const ended = performance.now();
    latency.add(ended - now);
    now = ended;
  }
  const { p50Ms, count } = latency.summary();
  return { latencyMs: p50Ms, perSecond: (1000 * batch * count) / (now - started), errors: 0 };
}

/** The network that the image server only stands for, in ONNX Runtime. */
async function openResnet() {
  const ort = await loadOnnxRuntime();
  const session = await ort.InferenceSession.create(resnet50Features(), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  const pixels = new Float32Array(3 * 224 * 224).fill(0.5);
  const image = new ort.Tensor("float32", pixels, [1, 3, 224, 224]);
  return { run: () => session.run({ image }), close: () => session.release() };
}

/**
 * The float network of the bundle in ONNX Runtime as its users have it: optimised, here on one thread.
 *
 * @returns undefined where the model does not take this batch
 */
async function openReference(
  folder: string,
  { count, data }: Samples,
): Promise<(() => Promise<unknown>) | undefined> {
  const { manifest } = readBundle(folder);
  const ort = await loadOnnxRuntime();
  const session = await ort.InferenceSession.create(join(folder, bundlePaths.model), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  const feeds = Object.fromEntries(
    manifest.inputs.map(({ name, shape }) => [
      name,
      new ort.Tensor("float32", Float32Array.from(data.get(name) as Float64Array), [
        ...batchShape(count, shape),
      ]),
    ]),
  );
  const run = () => session.run(feeds);
  try {
    await run();
    return run;
  } catch {
    return undefined;
  }
}
