import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Bundle } from "../../src/artifact/index.ts";
import { Random } from "../../src/base/index.ts";
import type { Design } from "../../src/design/index.ts";
import type { Graph } from "../../src/ir/index.ts";
import {
  createIcarusDevice,
  createRtlDevice,
  type SimulatedKernel,
} from "../../src/runtime/index.ts";
import type { ScheduleOptions } from "../../src/schedule/index.ts";
import { measureTiming } from "../../src/verify/index.ts";
import { arbitraryOneOpGraph, primitiveNames } from "../arbitrary/one-op-graph.ts";
import { lint, temporaryFolder, tools, yosys } from "../support/hw.ts";
import {
  bundleInMemory,
  cornerCodes,
  oracle,
  packAll,
  randomCodes,
  unpackAll,
  unrolled,
} from "../support/kernel.ts";
import { shapesUnderReuse } from "../support/shapes-under-reuse.ts";
import { sideBySide } from "../support/side-by-side.ts";

const vectors = 600;

/** All primitive operators in one graph, each several times, with formats and shapes by the seed. */
function allOperators(seed: number, each: number, maxWidth: number): Graph {
  const graphs = primitiveNames.flatMap((name) => {
    // Twelve ways to round and overflow, and few of the formats make a rule act.
    const numRuns = name === "requantize" ? 8 * each : each;
    return fc.sample(arbitraryOneOpGraph(name, { maxWidth }), { numRuns, seed });
  });
  return sideBySide(graphs.map(({ graph }) => graph));
}

interface Build {
  readonly name: string;
  readonly graph: () => Graph;
  readonly options: ScheduleOptions;
  /** A second simulator is asked, too. */
  readonly withIcarus?: boolean;
}

const builds: readonly Build[] = [
  {
    name: "all operators, unrolled",
    graph: () => allOperators(11, 5, 14),
    options: unrolled,
    withIcarus: true,
  },
  {
    name: "all operators, two levels of logic at most",
    graph: () => allOperators(12, 4, 10),
    options: { ...unrolled, maxLevels: 2 },
  },
  {
    name: "all operators, products folded, packets of many beats",
    graph: () => allOperators(13, 4, 12),
    options: { ...unrolled, reuse: 6 },
  },
  {
    name: "values that travel beside folded products",
    graph: () => sideBySide(Object.values(shapesUnderReuse).map((make) => make())),
    options: { ...unrolled, maxLevels: 4, reuse: 20 },
  },
];

/** The Verilog of a bundle as files. */
function writeRtl(folder: string, bundle: Bundle): string[] {
  for (const path of Object.keys(bundle.manifest.files)) {
    if (dirname(path) !== "rtl") continue;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, basename(path)), bundle.read(path));
  }
  return [...bundle.manifest.kernel.sources];
}

describe.each(builds)("$name", ({ graph: makeGraph, options, withIcarus }) => {
  const folder = temporaryFolder();
  const graph = makeGraph();
  const { bundle, design }: { bundle: Bundle; design: Design } = bundleInMemory(graph, options);
  const { inputs, outputs } = bundle.manifest;
  const random = new Random(3);
  const corners = cornerCodes(graph).slice(0, 100);
  const inferences = [
    ...corners,
    ...Array.from({ length: vectors - corners.length }, () => randomCodes(graph, random)),
  ];
  const packets = packAll(inputs, inferences);
  const expected = inferences.map((codes) => oracle(graph, codes));

  it("has what its name says", () => {
    if (design.architecture !== "parallel") throw new Error("not unrolled");
    const engines = design.segments.filter(({ kind }) => kind === "engine").length;
    expect(engines > 0).toBe(options.reuse > 1);
    if (options.reuse > 1) {
      expect(design.input.beats).toBeGreaterThan(1);
      expect(design.output.beats).toBeGreaterThan(1);
    }
  });

  describe.skipIf(!tools.verilator)("under Verilator", () => {
    let kernel: SimulatedKernel;
    beforeAll(async () => {
      kernel = await createRtlDevice().load(bundle);
    });
    afterAll(() => kernel.close());

    it.each([
      [0, 0],
      [30, 30],
      [0, 80],
      [80, 0],
    ])("gives the oracle's codes, held up in %i and %i percent of cycles", async (inn, out) => {
      const result = await kernel.simulate(packets, vectors, {
        stallInPercent: inn,
        stallOutPercent: out,
        seed: 7,
      });
      expect(result.violations).toEqual([]);
      expect(unpackAll(outputs, result.outputs, vectors)).toEqual(expected);
      if (inn === 0 && out === 0) {
        const { latencyCycles, intervalCycles } = design;
        expect(measureTiming(result)).toEqual({ latencyCycles, intervalCycles });
      }
    });

    it("has nothing to say as a linter", () => {
      const rtl = join(folder.path, "lint");
      lint(rtl, design.top, writeRtl(rtl, bundle));
    });
  });

  it.skipIf(!tools.icarus || !withIcarus)("gives the same under Icarus", async () => {
    const count = 60;
    const kernel = await createIcarusDevice().load(bundle);
    const part = packets.subarray(0, (packets.length / vectors) * count);
    for (const percent of [0, 40]) {
      const stalls = { stallInPercent: percent, stallOutPercent: percent, seed: 5 };
      const result = await kernel.simulate(part, count, stalls);
      expect(result.violations).toEqual([]);
      expect(unpackAll(outputs, result.outputs, count)).toEqual(expected.slice(0, count));
    }
  });

  it.skipIf(!tools.yosys)(
    "is read by Yosys",
    () => {
      const rtl = join(folder.path, "yosys");
      const sources = writeRtl(rtl, bundle);
      yosys(rtl, [
        `read_verilog -sv ${sources.join(" ")}`,
        `hierarchy -check -top ${design.top}; proc; check -assert`,
      ]);
    },
    300_000,
  );
});
