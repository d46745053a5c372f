import { defineConfig } from "vitest/config";
import { SlowFirst } from "./test/support/slow-first.ts";

/** Tests that look at the clock, most of them of servers. */
const timed = [
  "test/e2e/bench.test.ts",
  "test/e2e/client.test.ts",
  "test/e2e/robust.test.ts",
  "test/e2e/serve*.test.ts",
  "test/hw/sim.test.ts",
];

/**
 * Five projects: `unit` needs nothing but Node, `hw` needs the simulators, `e2e` runs whole ways, and
 * `conformance` the cases of the ONNX project; on every processor a file. After them `timed`, whose files
 * have the machine to themselves.
 */
export default defineConfig({
  test: {
    maxWorkers: "100%",
    sequence: { sequencer: SlowFirst },
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/hw/**", "test/e2e/**", "test/conformance/**", "test/fuzz/**"],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "hw",
          include: ["test/hw/**/*.test.ts"],
          exclude: timed,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: "conformance",
          include: ["test/conformance/**/*.test.ts", "test/fuzz/**/*.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          exclude: timed,
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
      {
        test: {
          name: "timed",
          include: timed,
          maxWorkers: 1,
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
