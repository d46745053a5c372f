import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fail } from "../base/index.ts";
import { packagePath } from "../tools/index.ts";
import type { Protocol } from "./request.ts";

export interface ServerPlan {
  /** Folder of models, or a bundle. */
  readonly repository: string;
  /** As `nn2fpga serve --device` names it. */
  readonly device: string;
  readonly threads?: number;
}

/** A server that is measured: one of ours, in a process of its own. */
export interface ServerProcess {
  readonly addresses: Readonly<Record<Protocol, string>>;
  /** Names of the models that are ready. */
  readonly models: readonly string[];
  /** Processor time of all its threads, in steps of 10 ms; undefined where the system does not tell. */
  cpuMs(): number | undefined;
  stop(): Promise<void>;
}

/** @throws N2F_BENCH_SERVER where it does not start */
export function startServerProcess(plan: ServerPlan): Promise<ServerProcess> {
  const { repository, device, threads } = plan;
  const child = spawn(
    process.execPath,
    [
      packagePath("bin", "nn2fpga.js"),
      ...["serve", repository, "--device", device],
      ...["--grpc-port", "0", "--http-port", "0", "--metrics-port", "off"],
      ...["--log-level", "error", "--grace-seconds", "2", "--json"],
      ...(threads === undefined ? [] : ["--threads", String(threads)]),
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  // It does not outlive us, however we end.
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  ended.then(() => process.off("exit", kill));

  return new Promise((resolve, reject) => {
    let [text, words, isUp] = ["", "", false];
    child.stderr.setEncoding("utf8").on("data", (more: string) => {
      words = (words + more).slice(-2000);
    });
    const refuse = (message: string, cause?: unknown) => {
      try {
        fail("N2F_BENCH_SERVER", `the server ${message}`, {
          at: repository,
          hint: words.trim() === "" ? "It printed nothing." : `Its words: ${words.trim()}`,
          cause,
        });
      } catch (error) {
        reject(error);
      }
    };
    child.once("error", (error) => refuse(`cannot be started: ${error.message}`, error));
    child.once("close", (code) => isUp || refuse(`ended with exit code ${code}`));
    child.stdout.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      if (isUp || !text.endsWith("}\n")) return;
      isUp = true;
      const { addresses, models } = JSON.parse(text) as Partial<ServerDocument>;
      if (addresses === undefined || models === undefined) {
        // A document of problems instead, and the same words on stderr.
        child.once("close", () => refuse("does not start"));
        child.kill("SIGTERM");
        return;
      }
      if (!models.some(({ state }) => state === "READY")) {
        words = models.map(({ name, reason }) => `${name}: ${reason}`).join("\n");
        refuse("has no model that is ready");
        child.kill("SIGTERM");
        return;
      }
      resolve({
        addresses,
        models: models.filter(({ state }) => state === "READY").map(({ name }) => name),
        cpuMs: () => cpuMsOf(child.pid),
        stop: async () => {
          child.kill("SIGTERM");
          const late = setTimeout(kill, 5000);
          await ended;
          clearTimeout(late);
        },
      });
    });
  });
}

/** What `nn2fpga serve --json` says when it is up. */
interface ServerDocument {
  readonly addresses: Readonly<Record<Protocol, string>>;
  readonly models: readonly {
    readonly name: string;
    readonly state: string;
    readonly reason: string;
  }[];
}

/** Of `utime` and `stime`; Linux counts them for programs in hundredths of a second. @see man 5 proc */
function cpuMsOf(pid: number | undefined): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything; what follows it are numbers, beginning with field 3.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return undefined;
  }
}
