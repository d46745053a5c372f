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

const limitMs = 120_000;
/** The big graphs take their time: vgg19 has 19.6 G multiplications, each of them exact. */
const bigLimitMs = 1_800_000;

/** The cases that count. */
export function casesInScope(): readonly CaseEntry[] {
  return listCases().filter((entry) => scopeOf(entry).inScope);
}

/**
 * Runs cases in every mode that is asked for, in as many processes; results in the order of the cases. Big graphs
 * follow one by one, each with a process to itself, so that its memory can be told.
 */
export async function runCases(
  entries: readonly CaseEntry[],
  processes: number,
  wanted: readonly Mode[] = modes,
): Promise<readonly CaseResult[]> {
  const worker = fileURLToPath(new URL("worker.ts", import.meta.url));
  const run = async (some: readonly CaseEntry[], most: number, limit: number) => {
    const jobs = some.flatMap((entry) => wanted.map((mode) => ({ entry, mode })));
    const results = new Array<CaseResult>(jobs.length);
    const workers = Math.max(1, Math.min(most, Math.ceil(jobs.length / 8)));
    await runJobs<unknown, Outcome>(
      jobs,
      { worker, processes: workers, limitMs: limit, isFresh: limit === bigLimitMs },
      (result, i) => {
        results[i] = { ...jobs[i], outcome: outcomeOf(result, limit) };
      },
    );
    return results;
  };
  const small = entries.filter((entry) => !isLight(entry));
  return [
    ...(await run(small, processes, limitMs)),
    ...(await run(entries.filter(isLight), 1, bigLimitMs)),
  ];
}

function outcomeOf(result: JobResult<Outcome>, limit: number): Outcome {
  if (result.kind === "answer") return result.answer;
  const reason =
    result.kind === "hung"
      ? `FAULT: no answer within ${limit / 1000} s`
      : `FAULT: the process ended with ${result.how}`;
  return { status: "fail", reason };
}
