import { expect, test } from "vitest";
import { fuzzConnection } from "../../../support/serve/http2-fuzz.ts";

test("three thousand conversations with broken frames: no exception, nothing told twice or not at all", async () => {
  let alive = 0;
  for (let seed = 1; seed <= 3000; seed++) {
    try {
      if ((await fuzzConnection(seed)).isAlive) alive++;
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  // Some are sound enough, some are refused.
  expect(alive).toBeGreaterThan(300);
  expect(alive).toBeLessThan(2700);
});
