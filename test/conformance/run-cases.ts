import { fileURLToPath } from "node:url";
import { type JobResult, runJobs } from "../support/pool.ts";
import { type CaseEntry, isLight, listCases } from "./case.ts";
import { type Mode, modes, type Outcome } from "./run-case.ts";
import { scopeOf } from "./scope.ts";

/** One case in one mode, with what became of it. */
export interface CaseResult {
  readonly entry: CaseEntry;
  readonly mode: Mode;
  readonly outcome: Outcome;
}

/** The big graphs take their time: vgg19 has 19.6 G multiplications, each of them exact. */
const limitFor = (entries: readonly CaseEntry[]) => (entries.some(isLight) ? 600_000 : 120_000);

/** The cases that count. */
export function casesInScope(): readonly CaseEntry[] {
  return listCases().filter((entry) => scopeOf(entry).inScope);
}

/** Runs cases in every mode that is asked for, in as many processes; results in the order of the cases. */
export async function runCases(
  entries: readonly CaseEntry[],
  processes: number,
  wanted: readonly Mode[] = modes,
): Promise<readonly CaseResult[]> {
  const jobs = entries.flatMap((entry) => wanted.map((mode) => ({ entry, mode })));
  const results = new Array<CaseResult>(jobs.length);
  const worker = fileURLToPath(new URL("worker.ts", import.meta.url));
  const workers = Math.max(1, Math.min(processes, Math.ceil(jobs.length / 8)));
  const limitMs = limitFor(entries);
  await runJobs<unknown, Outcome>(jobs, { worker, processes: workers, limitMs }, (result, i) => {
    results[i] = { ...jobs[i], outcome: outcomeOf(result, limitMs) };
  });
  return results;
}

function outcomeOf(result: JobResult<Outcome>, limitMs: number): Outcome {
  if (result.kind === "answer") return result.answer;
  const reason =
    result.kind === "hung"
      ? `FAULT: no answer within ${limitMs / 1000} s`
      : `FAULT: the process ended with ${result.how}`;
  return { status: "fail", reason };
}
