import type { ChildProcess } from "node:child_process";

const running = new Set<ChildProcess>();
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Ends a program and all that it has started. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

function killAll(): void {
  for (const child of running) killGroup(child);
}

function endAll(signal: NodeJS.Signals): void {
  killAll();
  stopWatching();
  process.kill(process.pid, signal);
}

function stopWatching(): void {
  process.off("exit", killAll);
  for (const signal of signals) process.off(signal, endAll);
}

/**
 * Takes care of a program with a process group of its own, which the terminal's interrupt does not reach:
 * it ends when this process does.
 */
export function watchChild(child: ChildProcess): void {
  if (running.size === 0) {
    process.on("exit", killAll);
    for (const signal of signals) process.on(signal, endAll);
  }
  running.add(child);
  child.once("close", () => {
    running.delete(child);
    if (running.size === 0) stopWatching();
  });
}
