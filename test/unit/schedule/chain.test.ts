import { describe, expect, it } from "vitest";
import { Random } from "../../../src/base/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { scheduleParallel } from "../../../src/schedule/index.ts";
import { cornerCodes, emulate, oracle, randomCodes, unrolled } from "../../support/kernel.ts";
import { interpretDesign } from "../../support/netlist.ts";
import { shapesUnderReuse } from "../../support/shapes-under-reuse.ts";

describe.each(Object.entries(shapesUnderReuse))("%s", (_name, make) => {
  const graph = make();
  const random = new Random(5);
  const inferences = [
    ...cornerCodes(graph),
    ...Array.from({ length: 40 }, () => randomCodes(graph, random)),
  ];
  const expected = inferences.map((codes) => oracle(graph, codes));

  it.each([1, 2, 3, 7, 20, 1000])("keeps its meaning with reuse %i", (reuse) => {
    const design = scheduleParallel(graph, ops, "top", { ...unrolled, reuse });
    if (reuse >= 20) expect(design.segments.some(({ kind }) => kind === "engine")).toBe(true);
    expect(inferences.map((codes) => interpretDesign(design, codes))).toEqual(expected);
  });

  it("keeps its meaning in the emulator", () => {
    expect(emulate(graph, inferences)).toEqual(expected);
  });
});
