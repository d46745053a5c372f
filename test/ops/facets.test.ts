import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import { ops } from "../../src/ops/index.ts";
import { scheduleParallel } from "../../src/schedule/index.ts";
import { arbitraryOneOpGraph, primitiveNames } from "../arbitrary/one-op-graph.ts";
import { cornerCodes, emulate, oracle, randomCodes, unrolled } from "../support/kernel.ts";
import { interpretDesign } from "../support/netlist.ts";

/** Inferences for each graph. */
const samples = 12;

const seed = fc.nat({ max: 2 ** 31 });

describe.each(primitiveNames)("%s", (name) => {
  const arbitraryProblem = fc.tuple(arbitraryOneOpGraph(name), seed).map(([{ graph }, start]) => {
    const random = new Random(start);
    const inferences = [
      ...cornerCodes(graph).slice(0, 6),
      ...Array.from({ length: samples }, () => randomCodes(graph, random)),
    ];
    return { graph, inferences };
  });

  it("gives the oracle's codes in the emulator", () => {
    fc.assert(
      fc.property(arbitraryProblem, ({ graph, inferences }) => {
        expect(emulate(graph, inferences)).toEqual(inferences.map((codes) => oracle(graph, codes)));
      }),
      { numRuns: 60 },
    );
  });

  it("gives the oracle's codes as a netlist, every wire inside its interval", () => {
    fc.assert(
      fc.property(
        arbitraryProblem,
        fc.constantFrom(1, 2, 4, 64),
        ({ graph, inferences }, reuse) => {
          const design = scheduleParallel(graph, ops, "top", { ...unrolled, reuse });
          for (const codes of inferences) {
            expect(interpretDesign(design, codes)).toEqual(oracle(graph, codes));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
