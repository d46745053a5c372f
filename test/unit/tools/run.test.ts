import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { runTool, timeTool } from "../../../src/tools/index.ts";

const shell = (script: string) => ["sh", ["-c", script]] as const;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits for a process to be gone; a killed child of nobody may linger for a moment. */
async function isGone(pid: number): Promise<boolean> {
  for (let i = 0; i < 100 && isAlive(pid); i++) await wait(20);
  return !isAlive(pid);
}

describe("runTool", () => {
  it("gives what was printed on stdout", async () => {
    expect(await runTool(...shell("echo out; echo err >&2"))).toBe("out\n");
  });

  it("runs in a folder, with variables of its own and nothing on stdin", async () => {
    const options = { cwd: "/", env: { N2F_TEST: "set" } };
    const text = await runTool("sh", ["-c", "pwd; echo $N2F_TEST; cat"], options);
    expect(text).toBe("/\nset\n");
  });

  it("tells the last words of a program that fails", async () => {
    const script = "for i in $(seq 1 100); do echo line $i; done; echo the reason >&2; exit 3";
    await expect(runTool(...shell(script))).rejects.toThrow(
      /^N2F_TOOL_FAILED: sh ended with exit code 3\n {2}at sh -c [\s\S]*hint: Its last words:[\s\S]*line 100[\s\S]*$/,
    );
    const error = (await runTool(...shell(script)).catch((cause: unknown) => cause)) as Error;
    expect(error.message).toContain("the reason");
    expect(error.message).not.toContain("line 50\n");
  });

  it("tells which signal ended a program", async () => {
    await expect(runTool(...shell("kill -SEGV $$"))).rejects.toThrow(/sh ended with SIGSEGV/);
  });

  it("tells that there is no such program", async () => {
    await expect(runTool("no-such-program", [])).rejects.toThrow(
      /N2F_TOOL_FAILED: no-such-program cannot be started: .*ENOENT[\s\S]*It printed nothing/,
    );
  });

  it("ends a program that takes too long, and what that has started", async () => {
    const script = "sleep 60 & echo $!; wait";
    const error = await runTool("sh", ["-c", script], { timeoutMs: 300 }).catch(
      (cause: unknown) => cause as Error,
    );
    expect(String(error)).toMatch(/sh took more than 0.3 s and was ended/);
    const grandchild = Number(/last words:\s+(\d+)/.exec(String(error))?.[1]);
    expect(grandchild).toBeGreaterThan(1);
    expect(await isGone(grandchild)).toBe(true);
  });

  it("ends a program when the work is given up, before or after it started", async () => {
    const abort = new AbortController();
    const run = runTool("sleep", ["60"], { signal: abort.signal });
    setTimeout(() => abort.abort(), 100);
    await expect(run).rejects.toThrow(/sleep was ended because the work was given up/);
    await expect(runTool("sleep", ["60"], { signal: abort.signal })).rejects.toThrow(/given up/);
  });

  it("leaves no listeners behind", async () => {
    const count = () => ["exit", "SIGINT", "SIGTERM"].map((name) => process.listenerCount(name));
    const before = count();
    await Promise.all([
      runTool("true", []),
      runTool("true", []),
      runTool("no-such", []).catch(() => ""),
    ]);
    expect(count()).toEqual(before);
  });
});

describe("timeTool", () => {
  it("measures the processor time of a program and its children", async () => {
    const work = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    const { output, cpuSeconds, wallSeconds } = await timeTool(
      ...shell(`sh -c '${work}'; ${work}; echo done`),
    );
    expect(output).toBe("done\n");
    expect(cpuSeconds).toBeGreaterThan(0.05);
    expect(cpuSeconds).toBeLessThan(wallSeconds * 1.5 + 0.1);
    const idle = await timeTool("sleep", ["0.3"]);
    expect(idle.cpuSeconds).toBeLessThan(0.1);
    expect(idle.wallSeconds).toBeGreaterThan(0.29);
  });

  it("hands arguments on as they are, and failures too", async () => {
    expect((await timeTool("printf", ["%s|", "a b", "$HOME", "'\"", ""])).output).toBe(
      "a b|$HOME|'\"||",
    );
    await expect(timeTool(...shell("echo sorry >&2; exit 7"))).rejects.toThrow(
      /sh ended with exit code 7[\s\S]*sorry/,
    );
    await expect(timeTool("sleep", ["60"], { timeoutMs: 200 })).rejects.toThrow(/more than 0.2 s/);
    await expect(timeTool("no-such-program", [])).rejects.toThrow(/exit code 127[\s\S]*not found/);
  });
});
