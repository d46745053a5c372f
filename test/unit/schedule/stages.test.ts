import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isRegistered,
  levelsOf,
  type ParallelDesign,
  type PipelineSegment,
  readsOf,
  type Wire,
} from "../../../src/design/index.ts";
import { emitVerilog } from "../../../src/emit/verilog/index.ts";
import { bitsFor } from "../../../src/fixed/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { delaysOf, scheduleParallel } from "../../../src/schedule/index.ts";
import { arbitraryOneOpGraph, primitiveNames } from "../../arbitrary/one-op-graph.ts";
import { unrolled } from "../../support/kernel.ts";
import { shapesUnderReuse } from "../../support/shapes-under-reuse.ts";
import { sideBySide } from "../../support/side-by-side.ts";

const levels = fc.constantFrom(2, 3, 4, 7);
const reuse = fc.constantFrom(1, 5);

const arbitraryDesign: fc.Arbitrary<ParallelDesign> = fc.oneof(
  fc
    .tuple(
      fc
        .array(fc.constantFrom(...primitiveNames), { minLength: 1, maxLength: 4 })
        .chain((names) => fc.tuple(...names.map((name) => arbitraryOneOpGraph(name)))),
      levels,
      reuse,
    )
    .map(([problems, maxLevels, factor]) =>
      scheduleParallel(sideBySide(problems.map(({ graph }) => graph)), ops, "top", {
        ...unrolled,
        maxLevels,
        reuse: factor,
      }),
    ),
  fc
    .tuple(fc.constantFrom(...Object.values(shapesUnderReuse)), levels, reuse)
    .map(([make, maxLevels, factor]) =>
      scheduleParallel(make(), ops, "top", { ...unrolled, maxLevels, reuse: factor }),
    ),
);

const pipelines = (design: ParallelDesign): PipelineSegment[] =>
  design.segments.filter((segment) => segment.kind === "pipeline");

describe("pipeline stages", () => {
  it("hold at most the levels allowed, and no net straddles a register", () => {
    fc.assert(
      fc.property(arbitraryDesign, (design) => {
        for (const { netlist, timing } of pipelines(design)) checkStages(design, netlist, timing);
      }),
      { numRuns: 60 },
    );
  });

  it("have as many register bits as the Verilog declares", () => {
    fc.assert(
      fc.property(arbitraryDesign, (design) => {
        const { files } = emitVerilog(design, { source: "m.onnx", generator: "test" });
        for (const segment of pipelines(design)) {
          const text = files.get(`${design.top}_${segment.name}.sv`) as string;
          const bits = delaysOf(segment.netlist, segment.timing).reduce(
            (sum, { widthBits, cycles }) => sum + widthBits * cycles,
            0,
          );
          expect(bits).toBe(declaredBits(text) - bitsInMultipliers(segment));
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("wires", () => {
  it("have exactly the bits that their interval needs", () => {
    fc.assert(
      fc.property(arbitraryDesign, (design) => {
        for (const { netlist } of pipelines(design)) {
          for (const { lo, hi, signed, widthBits } of netlist.cells) {
            expect({ signed, width: widthBits }).toEqual(bitsFor(lo, hi));
            // One bit less would not hold one of the ends.
            const fits = (bits: number, value: bigint) =>
              (signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)) === value;
            expect(fits(widthBits, lo) && fits(widthBits, hi)).toBe(true);
            const spare = widthBits - 1;
            expect(widthBits === 1 || !(fits(spare, lo) && fits(spare, hi))).toBe(true);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

function checkStages(
  { maxLevels }: ParallelDesign,
  { cells, outputs }: PipelineSegment["netlist"],
  { cycle, lastRead, depth, hasInputRegister }: PipelineSegment["timing"],
): void {
  /** Levels of logic between the last register and a wire, in the cycle in which it is valid. */
  const below = new Int32Array(cells.length);
  const isConst = (wire: Wire) => cells[wire].net.kind === "const";
  cells.forEach(({ net }, wire) => {
    if (net.kind === "const") return;
    if (net.kind === "input") {
      expect(cycle[wire]).toBe(hasInputRegister ? 1 : 0);
      return;
    }
    const registered = isRegistered(net) ? 1 : 0;
    const begin = cycle[wire] - registered;
    const sources = readsOf(net).filter((read) => !isConst(read));
    // All that a net reads stands in one and the same cycle: its own.
    for (const read of sources) {
      expect(cycle[read]).toBeLessThanOrEqual(begin);
      expect(lastRead[read]).toBeGreaterThanOrEqual(begin);
    }
    const direct = sources.filter((read) => cycle[read] === begin).map((read) => below[read]);
    const used = Math.max(0, ...direct) + levelsOf(net);
    expect(used).toBeLessThanOrEqual(Math.max(maxLevels, levelsOf(net)));
    below[wire] = registered === 1 ? 0 : used;
  });
  for (const wire of outputs) {
    if (isConst(wire)) continue;
    expect(lastRead[wire]).toBe(depth);
    // Logic before an output ends in a register.
    expect(cycle[wire] < depth || below[wire] === 0).toBe(true);
  }
}

/** Bits of all registers of a module. What is called `logic` is one, for the wires are called `wire`. */
function declaredBits(text: string): number {
  const declarations = text.matchAll(/^ {2}logic (?:signed )?\[(\d+):0\] \w+;/gm);
  return [...declarations].reduce((sum, [, msb]) => sum + Number(msb) + 1, 0);
}

/** Products end in a register inside the multiplier, which is not counted. */
function bitsInMultipliers({ netlist }: PipelineSegment): number {
  return netlist.cells.reduce(
    (sum, { net, widthBits }) => sum + (net.kind === "mul" ? widthBits : 0),
    0,
  );
}
