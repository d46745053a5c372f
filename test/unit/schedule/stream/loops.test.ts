import { describe, expect, it } from "vitest";
import {
  type Graph,
  type OpValue,
  type Value,
  type ValueId,
  valueId,
} from "../../../../src/ir/index.ts";
import { ops } from "../../../../src/ops/index.ts";
import { planLoops } from "../../../../src/schedule/stream/loop-plans.ts";
import { type RolledGraph, rollLoops } from "../../../../src/schedule/stream/loops.ts";
import { problemOf } from "../../../support/problem.ts";
import { recurrentLayer } from "../../../support/recurrent.ts";

/** A graph in which one value is another. */
function withValue(graph: Graph, id: ValueId, change: (value: OpValue) => Value): Graph {
  const values = new Map(graph.values);
  values.set(id, change(values.get(id) as OpValue));
  return { ...graph, values };
}

const plans = (rolled: RolledGraph, asked?: boolean) =>
  planLoops(rolled, { asked: () => asked, hasRate: true });

describe("the steps of a recurrent layer", () => {
  it("are one copy, with the results of all of them", () => {
    const graph = recurrentLayer("GRU", 3);
    const rolled = rollLoops(graph, ops, () => true);
    expect(rolled.kept).toEqual([]);
    const [loop] = new Set(rolled.loops.values());
    expect(loop).toMatchObject({ steps: 3, origin: { node: "r", type: "GRU" } });
    expect(loop.states.size).toBe(1);
    expect(plans(rolled)).toMatchObject([{ isShared: true, why: "the rate allows it" }]);
  });

  it("that are not alike are told, with the value that differs", () => {
    const graph = recurrentLayer("RNN", 1);
    const tanh = [...graph.values.values()].filter(
      (value) => value.kind === "op" && value.op === "tanh",
    );
    const odd = withValue(graph, tanh[1].id, (value) => ({
      ...value,
      attrs: { ...value.attrs, rounding: "TRN" },
    }));
    const rolled = rollLoops(odd, ops, () => true);
    const why = `its steps are not alike: the first has nothing like tanh ${tanh[1].id} in fixed<8,1> of step 1`;
    expect(plans(rolled)).toMatchObject([{ steps: 3, isShared: false, why }]);
    const problem = problemOf(() => plans(rolled, true));
    expect(problem).toMatchObject({ code: "N2F_OPTION_INVALID", at: "r (RNN)" });
    expect(problem?.message).toBe(`its 3 steps cannot share a cell: ${why}`);
  });

  it("of which many are read by themselves stay as they are", () => {
    const graph = recurrentLayer("RNN", 1, {}, 6);
    const states = [...graph.values.values()].filter(
      (value) => value.kind === "op" && value.op === "state",
    ) as OpValue[];
    const outputs = states.slice(1).map(({ args }, i) => ({ name: `s${i}`, value: args[0] }));
    const rolled = rollLoops({ ...graph, outputs }, ops, () => true);
    expect(plans(rolled)).toMatchObject([
      { isShared: false, why: "more than 4 of its steps are read by themselves" },
    ]);
    const few = rollLoops({ ...graph, outputs: outputs.slice(0, 4) }, ops, () => true);
    expect(few.kept).toEqual([]);
    expect(few.loops.has(valueId(outputs[0].value))).toBe(true);
  });
});
