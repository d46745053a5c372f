import { spawn } from "node:child_process";
import { fail } from "../base/index.ts";
import { killGroup, watchChild } from "./children.ts";

export interface RunOptions {
  readonly cwd?: string;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

const defaultTimeoutMs = 30 * 60_000;
const keptLines = 30;

/**
 * Runs a program to its end and gives what it printed.
 *
 * @throws N2F_TOOL_FAILED with its last words, where it fails or takes too long
 */
export function runTool(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { cwd, timeoutMs = defaultTimeoutMs, env } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      ...(cwd !== undefined && { cwd }),
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    watchChild(child);
    let out = "";
    let all = "";
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child);
    }, timeoutMs);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      all += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      all += text;
    });
    const finish = (message: string | undefined, cause?: unknown) => {
      clearTimeout(timer);
      if (message === undefined) return resolve(out);
      const words = all.trim().split("\n").slice(-keptLines).join("\n    ");
      try {
        fail("N2F_TOOL_FAILED", `${program} ${message}`, {
          at: `${program} ${args.slice(0, 3).join(" ")}${args.length > 3 ? " ..." : ""}`,
          hint: words === "" ? "It printed nothing." : `Its last words:\n    ${words}`,
          cause,
        });
      } catch (error) {
        reject(error);
      }
      return undefined;
    };
    child.on("error", (error) => finish(`cannot be started: ${error.message}`, error));
    child.on("close", (code, signal) => {
      if (timedOut) finish(`took more than ${timeoutMs / 1000} s and was ended`);
      else finish(code === 0 ? undefined : `ended with ${signal ?? `exit code ${code}`}`);
    });
  });
}
