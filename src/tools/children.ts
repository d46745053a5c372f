import type { ChildProcess } from "node:child_process";

/**
 * Programs that run in groups of their own, so that ending one ends all that it has started. The
 * terminal's Ctrl-C does not reach such groups; while any runs we pass it on.
 */
const running = new Set<ChildProcess>();

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Sees to it that a detached program does not outlive this process. */
export function watchChild(child: ChildProcess): void {
  if (running.size === 0) {
    process.on("exit", killAll);
    for (const signal of signals) process.on(signal, onSignal);
  }
  running.add(child);
  const forget = () => {
    if (!running.delete(child) || running.size > 0) return;
    process.off("exit", killAll);
    for (const signal of signals) process.off(signal, onSignal);
  };
  child.once("close", forget);
  child.once("error", forget);
}

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

/** A program with its own idea of signals keeps it; for others the signal ends us as ever. */
function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  killAll();
  process.off(signal, onSignal);
  process.kill(process.pid, signal);
}
