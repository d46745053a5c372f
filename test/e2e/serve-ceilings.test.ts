import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Ceilings, hasH2load, kinds } from "../support/serve/ceilings.ts";

const isMeasurable = hasH2load();
if (!isMeasurable) console.error("\n*** SKIPPED: h2load is not here (Debian: nghttp2-client)\n");

describe("what a request costs", () => {
  let ceilings: Ceilings;
  beforeAll(async () => {
    ceilings = await Ceilings.start();
  });
  afterAll(() => ceilings.close());

  test.skipIf(!isMeasurable).each(kinds)("$model: at most $most of grpc-js", async (kind) => {
    const { us, reference } = await ceilings.grpc(kind);
    const ratio = us / reference;
    console.log(
      `${kind.model}: ${us.toFixed()} us, grpc-js ${reference.toFixed()} us, ${ratio.toFixed(2)}`,
    );
    expect(ratio).toBeLessThanOrEqual(kind.most);
    expect(ceilings.core.held).toBe(0);
  });

  test.skipIf(!isMeasurable)(
    "small requests cost no more over HTTP with binary tensors",
    async () => {
      const { us, grpc, reference } = await ceilings.http();
      console.log(
        `small: HTTP ${us.toFixed()} us, gRPC ${grpc.toFixed()} us, of grpc-js ${reference.toFixed()} us`,
      );
      // About 0.85: what remains of either is mostly the socket.
      expect(us / grpc).toBeLessThan(1.1);
      // About 0.15.
      expect(us / reference).toBeLessThan(0.5);
    },
  );

  test("an image over 10 ms of round trip takes one and a half of it, with grpc-js many", async () => {
    const { ms, reference } = await ceilings.distance();
    console.log(`image at 10 ms: ${ms.toFixed(1)} ms, grpc-js ${reference.toFixed(1)} ms`);
    // 15 ms on an idle machine; a busy one adds a few.
    expect(ms).toBeLessThan(20);
    expect(reference).toBeGreaterThan(5 * ms);
  });
});
