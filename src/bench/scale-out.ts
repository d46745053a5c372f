import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sizeOf } from "../tensor/index.ts";
import type { Finding } from "./finding.ts";
import { type Knee, kneeOf } from "./knee.ts";
import type { LoadResult } from "./load.ts";
import { imageModel, writeImageRepository } from "./null-model.ts";
import { type Protocol, prepareRequest } from "./request.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { type Curve, sweep } from "./sweep.ts";

export interface ScaleOutPlan {
  readonly protocol: Protocol;
  readonly clients: readonly number[];
  readonly rttsMs: readonly number[];
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly onProgress?: (step: string) => void;
}

export interface ScaleOutReport {
  readonly serviceMs: number;
  readonly requestBytes: number;
  /** One client without a proxy. */
  readonly direct: LoadResult;
  /** Median latency of that client beyond the device's service time. */
  readonly addedP50Ms: number;
  readonly curves: readonly (Curve & { readonly knee: Knee; readonly expectedKnee: number })[];
  readonly findings: readonly Finding[];
}

/** What the accelerator of the first such service took for an image, from the network's side. */
export const serviceMs = 1.5;

/**
 * Many clients, each with one image on the way, before one device: throughput rises with their number until
 * the device is always busy. By Little's law that is at rate * (round trip + service time) clients.
 */
export async function runScaleOut(plan: ScaleOutPlan): Promise<ScaleOutReport> {
  return withImageServer(async (server) => {
    const request = imageRequest(plan.protocol);
    const common = {
      ...plan,
      address: server.addresses[plan.protocol],
      request,
      loop: { kind: "closed" } as const,
      serverCpuMs: server.cpuMs,
    };
    // Both sides compile their hot paths in the first seconds; no point shall pay for that.
    await sweep({ ...common, rttsMs: [0], clients: [4], warmupMs: 0, measureMs: warmingMs });
    const [{ points }] = await sweep({ ...common, rttsMs: [0], clients: [1] });
    const [direct] = points;

    const curves = (await sweep(common)).map((curve) => ({
      ...curve,
      knee: kneeOf(curve.points),
      expectedKnee: (1000 / serviceMs) * ((curve.measuredRttMs + serviceMs) / 1000),
    }));
    return {
      serviceMs,
      requestBytes: request.body.length,
      direct,
      addedP50Ms: addedMs(direct),
      curves,
      findings: findingsOf(direct, curves),
    };
  });
}

const warmingMs = 2000;

/** Starts a server with the image network's ports and the device that takes `serviceMs`. */
export async function withImageServer<T>(work: (server: ServerProcess) => Promise<T>): Promise<T> {
  const repository = mkdtempSync(join(tmpdir(), "nn2fpga-bench-"));
  try {
    writeImageRepository(repository);
    const server = await startServerProcess({ repository, device: `null:${serviceMs}ms` });
    try {
      return await work(server);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(repository, { recursive: true, force: true });
  }
}

export function imageRequest(protocol: Protocol) {
  const { name, input } = imageModel;
  const bytes = new Uint8Array(
    Float32Array.from({ length: sizeOf(input.shape) }, () => 0.5).buffer,
  );
  return prepareRequest(protocol, name, [{ ...input, datatype: "FP32", bytes }]);
}

/** How far the knee may lie from where it should. */
const kneeTolerance = 0.15;

function addedMs({ latency }: LoadResult): number {
  return latency.p50Ms - serviceMs;
}

function findingsOf(direct: LoadResult, curves: ScaleOutReport["curves"]): readonly Finding[] {
  const rate = 1000 / serviceMs;
  const all = [direct, ...curves.flatMap(({ points }) => points)];
  const errors = all.reduce((sum, point) => sum + point.errors, 0);
  return [
    {
      name: "added median latency",
      value: `${addedMs(direct).toFixed(2)} ms`,
      wanted: "at most 1 ms, on an idle core",
      isMet: direct.latency.count > 0 && addedMs(direct) <= 1,
    },
    ...curves.flatMap(({ rttMs, knee, expectedKnee }) => {
      const share = knee.plateau / rate;
      return [
        {
          name: `saturated throughput, RTT ${rttMs} ms`,
          value: `${knee.plateau.toFixed(1)} /s, ${(share * 100).toFixed(1)} % of the device's ${rate.toFixed(1)}`,
          wanted: "at least 99 %",
          isMet: share >= 0.99,
        },
        {
          name: `knee, RTT ${rttMs} ms`,
          value: `${knee.clients.toFixed(1)} clients`,
          wanted: `${expectedKnee.toFixed(1)} (rate x (RTT + service time)), within ${kneeTolerance * 100} %, of at least 95 % of its rate`,
          // Where something else is full before the device, the knee is not the device's.
          isMet: share >= 0.95 && Math.abs(knee.clients / expectedKnee - 1) <= kneeTolerance,
        },
      ];
    }),
    { name: "errors", value: String(errors), wanted: "0", isMet: errors === 0 },
  ];
}
