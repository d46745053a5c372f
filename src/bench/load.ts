import { poissonArrivals } from "./arrivals.ts";
import type { Connection } from "./connection.ts";
import { LatencyRecorder, type LatencySummary } from "./percentiles.ts";
import type { RawAnswer } from "./request.ts";

/** When a client asks again: closed, as soon as it has its answer; open, whatever has become of the others. */
export type Loop =
  | { readonly kind: "closed" }
  | { readonly kind: "open"; readonly ratePerSecond: number; readonly seed: number };

export interface LoadPlan {
  /** One for each client, open. */
  readonly connections: readonly Connection[];
  readonly loop: Loop;
  /** Before anything is counted. */
  readonly warmupMs: number;
  readonly measureMs: number;
  /** Processor time of the server until now, where it can be known. */
  readonly serverCpuMs?: () => number | undefined;
  /** Sees every answer, also of the warm-up; what it throws is an error of that request. */
  readonly check?: (answer: RawAnswer) => void;
}

export interface LoadResult {
  readonly clients: number;
  readonly seconds: number;
  /** Of requests whose answers came within the time; in an open loop from when they should have been sent. */
  readonly latency: LatencySummary;
  readonly perSecond: number;
  /** Of the measured time and of what was under way at its end. */
  readonly errors: number;
  /** How often each error was seen. */
  readonly errorKinds: Readonly<Record<string, number>>;
  /** Processor time for one request, on all threads; undefined where the server is elsewhere. */
  readonly serverCpuMsPerRequest: number | undefined;
  readonly clientCpuMsPerRequest: number;
}

/** Requests of an open loop under way, at most: beyond that the server has long lost, and memory is next. */
const maxUnderWay = 10_000;

/** How long the last requests may take after the end. */
const graceMs = 15_000;

/** Puts load on a server for a time and says what came of it. */
export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const { connections, loop, warmupMs, measureMs, serverCpuMs, check } = plan;
  const latency = new LatencyRecorder();
  const errorKinds: Record<string, number> = {};
  const started = performance.now();
  let isWarm = false;
  let isOver = false;
  let underWay = 0;

  const failed = (message: string) => {
    if (isWarm) errorKinds[message] = (errorKinds[message] ?? 0) + 1;
  };
  const ask = async (connection: Connection, fromMs: number): Promise<boolean> => {
    underWay++;
    try {
      const answer = await connection.send();
      const tookMs = performance.now() - fromMs;
      check?.(answer);
      if (isWarm && !isOver) latency.add(tookMs);
      return true;
    } catch (error) {
      failed((error as Error).message);
      return false;
    } finally {
      underWay--;
    }
  };
  const closedClient = async (connection: Connection): Promise<void> => {
    while (!isOver) {
      // A server that refuses at once must not be asked in a busy loop.
      if (!(await ask(connection, performance.now()))) await sleep(10);
    }
  };
  const openClients = async (ratePerSecond: number, seed: number): Promise<void> => {
    const all: Promise<boolean>[] = [];
    let next = 0;
    for (const atMs of poissonArrivals(ratePerSecond, seed)) {
      const dueMs = started + atMs;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0.5) await sleep(waitMs);
      if (isOver) break;
      if (underWay >= maxUnderWay) failed(`not sent: ${maxUnderWay} requests are under way`);
      else all.push(ask(connections[next++ % connections.length], dueMs));
    }
    await Promise.all(all);
  };

  const clients =
    loop.kind === "closed"
      ? Promise.all(connections.map(closedClient))
      : openClients(loop.ratePerSecond, loop.seed);
  await sleep(warmupMs);
  const before = { atMs: performance.now(), server: serverCpuMs?.(), client: process.cpuUsage() };
  isWarm = true;
  await sleep(measureMs);
  isOver = true;
  const seconds = (performance.now() - before.atMs) / 1000;
  const own = process.cpuUsage(before.client);
  const server = serverCpuMs?.();
  await Promise.race([clients, sleep(graceMs, false)]);
  // Read now: those that never came are errors, too.
  for (let lost = underWay; lost > 0; lost--)
    failed(`no answer within ${graceMs / 1000} s of the end`);

  const summary = latency.summary();
  const perRequest = (ms: number) => (summary.count === 0 ? 0 : ms / summary.count);
  return {
    clients: connections.length,
    seconds,
    latency: summary,
    perSecond: summary.count / seconds,
    errors: Object.values(errorKinds).reduce((sum, count) => sum + count, 0),
    errorKinds,
    serverCpuMsPerRequest:
      server === undefined || before.server === undefined
        ? undefined
        : perRequest(server - before.server),
    clientCpuMsPerRequest: perRequest((own.user + own.system) / 1000),
  };
}

function sleep(ms: number, holdsProcess = true): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    if (!holdsProcess) timer.unref();
  });
}
