import { type AddressInfo, createServer } from "node:net";
import { type Connection, openConnection } from "./connection.ts";
import { type LoadResult, type Loop, runLoad } from "./load.ts";
import { measureRtt, startProxyThread } from "./proxy-thread.ts";
import type { PreparedRequest, RawAnswer } from "./request.ts";

export interface SweepPlan {
  readonly address: string;
  readonly request: PreparedRequest;
  /** Numbers of clients, each a point. */
  readonly clients: readonly number[];
  /** Round trips that are put between them and the server; 0 for no proxy at all. */
  readonly rttsMs: readonly number[];
  readonly loop: Loop;
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly serverCpuMs?: () => number | undefined;
  readonly check?: (answer: RawAnswer) => void;
  readonly onProgress?: (step: string) => void;
}

/** Latency and throughput against the number of clients, over one distance. */
export interface Curve {
  readonly rttMs: number;
  /** What the proxy really adds: the median of single bytes there and back. */
  readonly measuredRttMs: number;
  readonly points: readonly LoadResult[];
}

/** Measures a point for each number of clients and each distance, one after the other. */
export async function sweep(plan: SweepPlan): Promise<readonly Curve[]> {
  const curves: Curve[] = [];
  for (const rttMs of plan.rttsMs) curves.push(await measureCurve(plan, rttMs));
  return curves;
}

async function measureCurve(plan: SweepPlan, rttMs: number): Promise<Curve> {
  if (rttMs === 0) {
    return { rttMs, measuredRttMs: 0, points: await measurePoints(plan, plan.address, 0) };
  }
  const measuredRttMs = await rttOfProxy(rttMs);
  const proxy = await startProxyThread({ target: plan.address, delayMs: rttMs / 2 });
  try {
    const points = await measurePoints(plan, proxy.address, rttMs);
    return { rttMs, measuredRttMs, points };
  } finally {
    await proxy.close();
  }
}

async function measurePoints(
  { request, clients, onProgress, ...rest }: SweepPlan,
  address: string,
  distanceMs: number,
): Promise<LoadResult[]> {
  const points: LoadResult[] = [];
  for (const count of clients) {
    onProgress?.(`${count} client${count === 1 ? "" : "s"}, RTT ${distanceMs} ms`);
    const connections: Connection[] = [];
    try {
      for (let i = 0; i < count; i++) connections.push(await openConnection(address, request));
      points.push(
        // The queue of a closed loop settles within a few round trips.
        await runLoad({ ...rest, connections, warmupMs: rest.warmupMs + 4 * distanceMs }),
      );
    } finally {
      for (const connection of connections) connection.close();
    }
  }
  return points;
}

/** The same proxy before an echo: the server's own time stays out of it. */
async function rttOfProxy(rttMs: number): Promise<number> {
  const echo = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  const { port } = echo.address() as AddressInfo;
  const proxy = await startProxyThread({ target: `127.0.0.1:${port}`, delayMs: rttMs / 2 });
  try {
    return await measureRtt(proxy.address);
  } finally {
    await proxy.close();
    echo.close();
  }
}
