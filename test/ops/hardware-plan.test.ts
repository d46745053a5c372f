import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Nn2fpgaError } from "../../src/base/index.ts";
import type { Design } from "../../src/design/index.ts";
import { library } from "../../src/hwlib/index.ts";
import { type Graph, primitiveOf, quantArgs, quantOf, stepsOf } from "../../src/ir/index.ts";
import { ops } from "../../src/ops/index.ts";
import {
  hardwarePlan,
  loadTarget,
  plumbing,
  scheduleParallel,
  scheduleStream,
} from "../../src/schedule/index.ts";
import { arbitraryOneOpGraph, primitiveNames } from "../arbitrary/one-op-graph.ts";
import { unrolled } from "../support/kernel.ts";

const target = loadTarget("u250");

describe.each(primitiveNames)("%s", (name) => {
  const op = primitiveOf(ops, name);
  const plan = hardwarePlan(op);

  it("has the words, nets and modules that its plan names, and is streamed where it says so", () => {
    fc.assert(
      fc.property(arbitraryOneOpGraph(name), fc.constantFrom(1, 4), ({ graph, value }, reuse) => {
        const kernel = op.kernel(quantArgs(graph, value), value.attrs, quantOf(value));
        const steps = stepsOf(kernel, value.args.length, 1, [0n, 0n]);
        expect(op.words).toEqual(expect.arrayContaining(steps.map((step) => step.kernel.kind)));

        const made = partsOf(scheduleParallel(graph, ops, "top", { ...unrolled, reuse }));
        expect(plan.nets).toEqual(expect.arrayContaining(made.nets));
        expect(plan.parallel).toEqual(expect.arrayContaining(made.modules));

        const streamed = partsOf(streamOf(graph));
        const allowed = [...(plan.stream ?? []), ...plumbing];
        expect(allowed).toEqual(expect.arrayContaining(streamed.modules));
        if (plan.isLocal) expect(plan.nets).toEqual(expect.arrayContaining(streamed.nets));
        if (plan.stream === undefined) expect(streamOf(graph)).toBeUndefined();
      }),
      { numRuns: 12 },
    );
  });

  it("needs modules that there are", () => {
    const wanted = [...plan.parallel, ...(plan.stream ?? []), ...plumbing];
    expect(wanted.filter((module) => !library.has(module))).toEqual([]);
  });
});

/** Nothing where it cannot be streamed. */
function streamOf(graph: Graph): Design | undefined {
  try {
    return scheduleStream(graph, ops, "top", { clockMhz: 250, target });
  } catch (error) {
    if (error instanceof Nn2fpgaError) return undefined;
    throw error;
  }
}

/** Nets of all pipelines, and modules of the library beside them. */
function partsOf(design: Design | undefined) {
  const nets = new Set<string>();
  const modules = new Set<string>();
  const segments = design === undefined ? [] : "segments" in design ? design.segments : [];
  const nodes = design !== undefined && "nodes" in design ? design.nodes : [];
  for (const part of [...segments, ...nodes]) {
    if (part.kind === "module") modules.add(part.module);
    if (part.kind === "engine") modules.add("n2f_matvec");
    if (part.kind === "pipeline")
      for (const { net } of ("segment" in part ? part.segment : part).netlist.cells)
        if (net.kind !== "input" && net.kind !== "const") nets.add(net.kind);
  }
  return { nets: [...nets], modules: [...modules] };
}
