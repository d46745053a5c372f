import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const runner = fileURLToPath(new URL("../../scripts/lib/run-typescript.js", import.meta.url));

/** What a job came to: the worker's answer, or how the worker ended without one. */
export type JobResult<A> =
  | { readonly kind: "answer"; readonly answer: A }
  | { readonly kind: "hung" }
  | { readonly kind: "died"; readonly how: string };

export interface PoolOptions {
  /** A TypeScript file that calls `serveJobs`. */
  readonly worker: string;
  readonly processes: number;
  /** A job that takes longer is given up, and its process ended. */
  readonly limitMs: number;
  readonly heapMb?: number;
  /** Whether each job has a process to itself. */
  readonly isFresh?: boolean;
}

/**
 * Runs jobs in child processes, one after the other in each, in the order of the list. A job that hangs or
 * takes its process down costs only itself.
 */
export async function runJobs<J, A>(
  jobs: readonly J[],
  options: PoolOptions,
  onResult: (result: JobResult<A>, index: number) => void,
): Promise<void> {
  let next = 0;
  const serve = async (): Promise<void> => {
    let child: ChildProcess | undefined;
    while (next < jobs.length) {
      const index = next++;
      child ??= await start(options);
      const result = await runOne<A>(child, jobs[index], options.limitMs);
      if (result.kind !== "answer" || options.isFresh) {
        child.kill("SIGKILL");
        child = undefined;
      }
      onResult(result, index);
    }
    child?.disconnect();
  };
  await Promise.all(Array.from({ length: options.processes }, serve));
}

async function start({ worker, heapMb = 2048 }: PoolOptions): Promise<ChildProcess> {
  const child = fork(runner, [worker], {
    execArgv: [`--max-old-space-size=${heapMb}`],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", (code) => reject(new Error(`${worker} ended at once with ${code}`)));
  });
  child.removeAllListeners("exit");
  return child;
}

function runOne<A>(child: ChildProcess, job: unknown, limitMs: number): Promise<JobResult<A>> {
  return new Promise((resolve) => {
    const end = (result: JobResult<A>): void => {
      clearTimeout(timer);
      child.removeAllListeners("message").removeAllListeners("exit");
      resolve(result);
    };
    const timer = setTimeout(() => end({ kind: "hung" }), limitMs);
    child.once("message", (answer) => end({ kind: "answer", answer: answer as A }));
    child.once("exit", (code, signal) => end({ kind: "died", how: `${signal ?? code}` }));
    child.send(job as object);
  });
}

/**
 * The worker's side: answers each job, and ends with the process that started it.
 *
 * @returns what never comes: who waits for it can still import modules while jobs run
 */
export function serveJobs<J, A>(run: (job: J) => A | Promise<A>): Promise<never> {
  process.on("disconnect", () => process.exit());
  process.on("message", async (job) => {
    process.send?.((await run(job as J)) as object);
  });
  process.send?.("ready");
  return new Promise(() => {});
}
