import { defineConfig } from "vitest/config";

/**
 * Four projects: `unit` needs nothing but Node, `hw` needs the simulators, `e2e` runs whole ways, and
 * `conformance` the cases of the ONNX project.
 */
export default defineConfig({
  test: {
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
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
