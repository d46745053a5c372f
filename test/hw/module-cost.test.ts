/** What the formulas of hw/cost say of the modules of streams, against Yosys for UltraScale+. */
import { describe, expect, it } from "vitest";
import { CostModel } from "../../src/schedule/cost-model.ts";
import { costPoints, unsteady } from "../support/cost-points.ts";
import { temporaryFolder, tools } from "../support/hw.ts";
import { synthesizePoints } from "../support/synthesis.ts";

/** Relative, and what small modules may be off: LUTs of control logic that mapping shares or not. */
const tolerance = { relative: 0.15, absolute: 3 };

describe.skipIf(!tools.yosys)("formulas of stream modules", () => {
  const folder = temporaryFolder();
  const model = new CostModel();

  it.each([...costPoints])("are right about %s", { timeout: 300_000 }, (name, points) => {
    const found = synthesizePoints(folder.path, points);
    const wrong = points.flatMap(({ params }, i) => {
      const numbers = Object.entries(params).map(([key, value]) => [key, Number(value)]);
      const scope = { ...Object.fromEntries(numbers), BIAS: 1 };
      const estimate = model.module(name, scope);
      const { lut, ff, dsp, bram36 } = found[i];
      const isRight =
        estimate.dsp === dsp &&
        estimate.bram36 === bram36 &&
        isNear(estimate.lut, ...(unsteady.get(params) ?? ([lut, lut] as const))) &&
        isNear(estimate.ff, ff, ff);
      return isRight ? [] : [{ params, estimate, found: found[i] }];
    });
    expect(wrong).toEqual([]);
  });
});

/** @param least of what synthesis finds, which mostly is the most, too */
function isNear(estimate: number, least: number, most: number): boolean {
  const { relative, absolute } = tolerance;
  const slack = (found: number) => Math.max(absolute, relative * found);
  return estimate >= least - slack(least) && estimate <= most + slack(most);
}
