import { describe, expect, it, onTestFinished } from "vitest";
import type { Bundle } from "../../../src/artifact/index.ts";
import { createNullDevice } from "../../../src/runtime/index.ts";
import { problemOf } from "../../support/problem.ts";

const bundle = { manifest: { outputs: [{ sizeBytes: 6 }] } } as unknown as Bundle;

describe("the null device", () => {
  it("answers zeros of the right size at once", async () => {
    const device = createNullDevice();
    const kernel = await device.load(bundle);
    expect(await kernel.run(new Uint8Array(8), 4)).toEqual(new Uint8Array(24));
    expect(device.info().isComputing).toBe(false);
    await device.close();
  });

  it("does one run after the other, each in its time, and sleeps meanwhile", async () => {
    const device = createNullDevice({ runMs: 2, rowMs: 1 });
    onTestFinished(() => device.close());
    const kernel = await device.load(bundle);
    await kernel.run(new Uint8Array(0), 0); // starts the clock's thread
    const [begun, cpu] = [performance.now(), process.cpuUsage()];
    const ends: number[] = [];
    const runs = Array.from({ length: 20 }, async () => {
      await kernel.run(new Uint8Array(0), 3);
      ends.push(performance.now() - begun);
    });
    await Promise.all(runs);
    const { user, system } = process.cpuUsage(cpu);
    ends.forEach((end, i) => {
      expect(end).toBeGreaterThanOrEqual(5 * (i + 1) - 0.01);
    });
    expect((user + system) / 1000).toBeLessThan((ends.at(-1) as number) * 0.7);
  });

  it("lets go of whoever waits when it is closed", async () => {
    const device = createNullDevice({ runMs: 60_000 });
    const kernel = await device.load(bundle);
    const run = kernel.run(new Uint8Array(0), 1);
    await device.close();
    expect(await run).toEqual(new Uint8Array(6));
  });

  it("refuses impossible times", () => {
    expect(problemOf(() => createNullDevice({ runMs: -1 }))?.code).toBe("N2F_OPTION_INVALID");
    expect(problemOf(() => createNullDevice({ rowMs: Number.NaN }))?.code).toBe(
      "N2F_OPTION_INVALID",
    );
  });
});
