import { main } from "../../src/cli/main.ts";

/** What a user sees of one command. */
export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Write = typeof process.stdout.write;

/** Runs a command in this process and keeps what it prints. Not for two at the same time. */
export async function runCli(args: readonly string[]): Promise<CliResult> {
  const texts = { stdout: "", stderr: "" };
  const streams = ["stdout", "stderr"] as const;
  const originals = streams.map((name) => process[name].write);
  const listeners = new Set(process.stdout.listeners("error"));
  for (const name of streams) {
    process[name].write = ((chunk: string | Uint8Array) => {
      texts[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
      return true;
    }) as Write;
  }
  try {
    return { exitCode: await main(args), ...texts };
  } finally {
    streams.forEach((name, i) => {
      process[name].write = originals[i];
    });
    for (const listener of process.stdout.listeners("error")) {
      if (!listeners.has(listener)) process.stdout.off("error", listener as () => void);
    }
  }
}
