import { describe, expect, test } from "vitest";
import type { Connection } from "../../../src/bench/connection.ts";
import { runLoad } from "../../../src/bench/load.ts";

const answer = { body: Buffer.alloc(0), jsonBytes: 0 };

/** Answers after a time; every `wrong`-th request fails. */
function connection(ms: number, wrong = 0): Connection & { sent: number } {
  return {
    sent: 0,
    async send() {
      this.sent++;
      await new Promise((resolve) => setTimeout(resolve, ms));
      if (wrong > 0 && this.sent % wrong === 0) throw new Error("broken");
      return answer;
    },
    close: () => {},
  };
}

describe("load", () => {
  test("a closed loop has one request of each client under way", async () => {
    const connections = [connection(20), connection(20), connection(20)];
    const result = await runLoad({
      connections,
      loop: { kind: "closed" },
      warmupMs: 50,
      measureMs: 400,
    });
    expect(result.clients).toBe(3);
    expect(result.errors).toBe(0);
    expect(result.latency.minMs).toBeGreaterThan(18);
    // At most 3 / 20 ms; a busy machine makes it fewer.
    expect(result.perSecond).toBeLessThan(160);
    expect(result.perSecond).toBeGreaterThan(30);
    expect(result.perSecond).toBeCloseTo(result.latency.count / result.seconds, 6);
  });

  test("an open loop sends at its rate, however slow the answers are", async () => {
    const connections = [connection(200), connection(200)];
    const result = await runLoad({
      connections,
      loop: { kind: "open", ratePerSecond: 200, seed: 5 },
      warmupMs: 250,
      measureMs: 500,
    });
    const sent = connections[0].sent + connections[1].sent;
    // 150 are expected in 0.75 s, with a deviation of 12.
    expect(sent).toBeGreaterThan(100);
    expect(sent).toBeLessThan(200);
    expect(Math.abs(connections[0].sent - connections[1].sent)).toBeLessThanOrEqual(1);
    expect(result.latency.minMs).toBeGreaterThan(198);
  });

  test("errors are counted by what they say, and are no latencies", async () => {
    const result = await runLoad({
      connections: [connection(5, 2)],
      loop: { kind: "closed" },
      warmupMs: 0,
      measureMs: 200,
      check: () => {
        throw new Error("other bits");
      },
    });
    expect(result.latency.count).toBe(0);
    expect(Object.keys(result.errorKinds).sort()).toEqual(["broken", "other bits"]);
    expect(result.errors).toBe(result.errorKinds["broken"] + result.errorKinds["other bits"]);
  });
});
