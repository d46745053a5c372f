import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readBundle } from "../../src/artifact/index.ts";
import { Random } from "../../src/base/index.ts";
import { type InferenceCore, ServeError } from "../../src/serve/index.ts";
import { addTinyBundle, predictRows, requestOf, rowsOf, startCore } from "../support/serve.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nn2fpga-"));
  addTinyBundle(join(folder, "tiny.n2f"));
  cpSync(join(folder, "tiny.n2f"), join(folder, "other.n2f"), { recursive: true });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Seconds of it; the long run sets more. */
const seconds = Number(process.env["N2F_SOAK_SECONDS"] ?? 5);

it("answers right, or with an error, under deaths, deadlines and reloads, and leaves nothing behind", async () => {
  const core: InferenceCore = await startCore({
    repository: folder,
    devices: ["emulator", "emulator"],
    threads: 1,
    modelControl: "explicit",
    maxQueueRequests: 40,
  });
  const inputs = Array.from({ length: 3000 }, (_, i) => [Math.sin(i) * 9, Math.cos(3 * i) * 9]);
  const expected = await predictRows(join(folder, "tiny.n2f"), inputs);
  expect(readBundle(join(folder, "tiny.n2f")).manifest.name).toBe("tiny");
  const dice = new Random(7);
  const end = performance.now() + seconds * 1000;
  let [answered, failed, sent, refused] = [0, 0, 0, 0];
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const model = dice.below(2) === 0 ? "tiny" : "other";
      const rows = 1 + dice.below(dice.below(10) === 0 ? 2000 : 30);
      const first = dice.below(inputs.length - rows);
      const fate = dice.below(10);
      let request: ReturnType<typeof requestOf>;
      try {
        request = requestOf(core, model, inputs.slice(first, first + rows), {
          ...(fate === 0 && { deadlineMs: performance.now() + dice.below(4) }),
          ...(fate === 1 && { parameters: new Map([["timeout", dice.below(3000)]]) }),
        });
      } catch (error) {
        expect(error).toBeInstanceOf(ServeError);
        refused++;
        continue;
      }
      if (fate === 2) {
        request.cancel();
        continue;
      }
      sent++;
      const answer = request.run();
      if (fate === 3) setTimeout(() => request.cancel(), dice.below(5));
      try {
        expect(rowsOf(await answer)).toEqual(expected.slice(first, first + rows));
        answered++;
      } catch (error) {
        if (!(error instanceof ServeError)) throw error;
        expect(["CANCELLED", "UNAVAILABLE"]).toContain(error.status);
        failed++;
      }
    }
  };
  const reload = async (): Promise<void> => {
    while (performance.now() < end) {
      await new Promise((next) => setTimeout(next, 50 + dice.below(100)));
      await core.loadModel(dice.below(2) === 0 ? "tiny" : "other");
    }
  };
  await Promise.all([...Array.from({ length: 60 }, client), reload()]);
  expect(await core.idle(5000)).toBe(true);
  expect(refused).toBe(0);
  expect(answered + failed).toBe(sent);
  expect(answered).toBeGreaterThan(100);
  const metrics = core.metrics();
  const sum = (pick: (m: (typeof metrics)[number]) => number): number =>
    metrics.reduce((total, entry) => total + pick(entry), 0);
  expect(sum(({ statistics }) => statistics.inference_stats.success.count)).toBe(answered);
  expect(sum(({ failures: { REJECTED, CANCELED } }) => REJECTED + CANCELED)).toBe(failed);
  expect(sum(({ failures: { BACKEND, OTHER } }) => BACKEND + OTHER)).toBe(0);
  expect(sum(({ pendingRequests, pendingBytes }) => pendingRequests + pendingBytes)).toBe(0);
  await core.close();
  expect(core.pressure.bytesInFlight).toBe(0);
});
