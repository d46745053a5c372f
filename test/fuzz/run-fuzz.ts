import { fileURLToPath } from "node:url";
import { Random } from "../../src/base/index.ts";
import { isLight, listCases } from "../conformance/case.ts";
import { type JobResult, runJobs } from "../support/pool.ts";
import type { FuzzAnswer, FuzzJob } from "./try-model.ts";

/** CPU time that a broken model may take. */
const limitMs = 10_000;
/** Real time after which a process is ended; it may have to share its core with others. */
const watchdogMs = 240_000;

export interface FuzzFinding {
  readonly job: FuzzJob;
  readonly text: string;
}

export interface FuzzReport {
  readonly findings: readonly FuzzFinding[];
  /** How many models came how far. */
  readonly counts: ReadonlyMap<string, number>;
  readonly slowest: { readonly seed: number; readonly cpuMs: number };
  /** CPU time of all, but for the comparisons. */
  readonly cpuSeconds: number;
}

/** Jobs from `seed` on; each has a seed of its own, by which it can be tried again alone. */
export function fuzzJobs(count: number, seed: number): FuzzJob[] {
  const cases = listCases().filter((entry) => !isLight(entry));
  return Array.from({ length: count }, (_, i) => {
    const own = seed + i;
    return { folder: cases[new Random(own).below(cases.length)].folder, seed: own };
  });
}

export async function runFuzz(
  jobs: readonly FuzzJob[],
  processes: number,
  onFinding: (finding: FuzzFinding) => void = () => {},
): Promise<FuzzReport> {
  const worker = fileURLToPath(new URL("worker.ts", import.meta.url));
  const findings: FuzzFinding[] = [];
  const counts = new Map<string, number>();
  let slowest = { seed: 0, cpuMs: 0 };
  let cpuSeconds = 0;
  const options = { worker, processes, limitMs: watchdogMs, heapMb: 1024 };
  const again: FuzzJob[] = [];
  const judge = (job: FuzzJob, result: JobResult<FuzzAnswer>): void => {
    if (result.kind === "died" && !job.isAlone) {
      again.push({ ...job, isAlone: true });
      return;
    }
    const text = faultOf(result);
    if (text !== undefined) {
      findings.push({ job, text });
      onFinding({ job, text });
    }
    if (result.kind !== "answer") return;
    const { result: stage, detail, cpuMs } = result.answer;
    const key = stage === "FAULT" ? stage : `${stage}: ${detail}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    cpuSeconds += cpuMs / 1000;
    if (cpuMs > slowest.cpuMs) slowest = { seed: job.seed, cpuMs };
  };
  await runJobs<FuzzJob, FuzzAnswer>(jobs, options, (result, i) => judge(jobs[i], result));
  // Where the process died: was it ours, or ONNX Runtime's?
  const alone = [...again];
  await runJobs<FuzzJob, FuzzAnswer>(alone, options, (result, i) => judge(alone[i], result));
  return { findings, counts, slowest, cpuSeconds };
}

function faultOf(result: JobResult<FuzzAnswer>): string | undefined {
  if (result.kind === "hung") return `no answer within ${watchdogMs / 1000} s`;
  if (result.kind === "died") return `the process ended with ${result.how}`;
  const { result: stage, detail, how, cpuMs } = result.answer;
  if (stage === "FAULT") return `${detail} [${how.join("; ")}]`;
  if (cpuMs > limitMs) return `took ${Math.round(cpuMs)} ms [${how.join("; ")}]`;
  return undefined;
}
