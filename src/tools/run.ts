import { spawn } from "node:child_process";
import { fail } from "../base/index.ts";
import { killGroup, watchChild } from "./children.ts";

export interface RunOptions {
  readonly cwd?: string;
  /** Default: half an hour. */
  readonly timeoutMs?: number;
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the program early. */
  readonly signal?: AbortSignal;
}

export interface ToolRun {
  /** What the program printed on stdout. */
  readonly output: string;
  /** Processor time of the program and of all that it started and waited for. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
}

const defaultTimeoutMs = 30 * 60_000;
const keptLines = 30;

/**
 * Runs a program to its end and gives what it printed. It is ended together with all that it has
 * started: after the time limit, by the signal, or when this process ends.
 *
 * @throws N2F_TOOL_FAILED with its last words, where it fails or takes too long
 */
export async function runTool(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  return (await launch(program, args, options, false)).output;
}

/**
 * The same, with the time that it took. Node knows no processor time of ended children, but the shell
 * does, so one stands between.
 *
 * @throws N2F_TOOL_FAILED
 */
export async function timeTool(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<ToolRun> {
  return launch(program, args, options, true);
}

/** Runs "$0" with its arguments and reports the times on descriptor 3. */
const timingScript = '"$0" "$@" 3>&-; code=$?; times >&3; exit $code';

function launch(
  program: string,
  args: readonly string[],
  { cwd, timeoutMs = defaultTimeoutMs, env, signal }: RunOptions,
  isTimed: boolean,
): Promise<ToolRun> {
  const command = isTimed ? ["sh", "-c", timingScript, program, ...args] : [program, ...args];
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), {
      ...(cwd !== undefined && { cwd }),
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      detached: true,
    });
    watchChild(child);
    const [, stdout, stderr, times] = child.stdio as unknown as NodeJS.ReadableStream[];
    let output = "";
    let words = "";
    let timesText = "";
    let ending: string | undefined;
    const end = (why: string) => {
      ending ??= why;
      killGroup(child);
    };
    stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      words = lastLines(words + text);
    });
    stderr.setEncoding("utf8").on("data", (text: string) => {
      words = lastLines(words + text);
    });
    times.setEncoding("utf8").on("data", (text: string) => {
      timesText += text;
    });

    const timer = setTimeout(
      () => end(`took more than ${timeoutMs / 1000} s and was ended`),
      timeoutMs,
    );
    const abort = () => end("was ended because the work was given up");
    signal?.addEventListener("abort", abort);
    if (signal?.aborted === true) abort();
    const finish = (message: string | undefined, cause?: unknown) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      if (message === undefined) {
        const wallSeconds = (performance.now() - started) / 1000;
        resolve({ output, cpuSeconds: childSeconds(timesText), wallSeconds });
        return;
      }
      try {
        fail("N2F_TOOL_FAILED", `${program} ${message}`, {
          at: `${program} ${args.slice(0, 3).join(" ")}${args.length > 3 ? " ..." : ""}`,
          hint:
            words.trim() === ""
              ? "It printed nothing."
              : `Its last words:\n    ${words.trim().split("\n").join("\n    ")}`,
          cause,
        });
      } catch (error) {
        reject(error);
      }
    };
    child.on("error", (error) => finish(`cannot be started: ${error.message}`, error));
    child.on("close", (code, killedBy) => {
      const failure = code === 0 ? undefined : `ended with ${killedBy ?? `exit code ${code}`}`;
      finish(ending ?? failure);
    });
  });
}

function lastLines(text: string): string {
  const lines = text.split("\n");
  return lines.length <= keptLines + 1 ? text : lines.slice(-keptLines - 1).join("\n");
}

/** User and system time of the shell's children: the second line of what `times` prints. */
function childSeconds(text: string): number {
  const fields = (text.split("\n")[1] ?? "").matchAll(/(\d+)m([\d.,]+)s/g);
  return [...fields].reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds.replace(",", ".")),
    0,
  );
}
