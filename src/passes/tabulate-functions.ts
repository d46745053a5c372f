import { type OpValue, type Registry, rewriteGraph, type ValueId } from "../ir/index.ts";
import { makeTensor } from "../tensor/index.ts";
import { coneOf, evaluateCone } from "./code-cone.ts";
import { definePass } from "./pass.ts";

/**
 * A function of an integer of a quantized model that no quantization follows: a table with an entry for each integer,
 * so that the argument loses nothing on its way into the table. The results are integers times a power of two.
 *
 *     "x" = mul("q", "s")                "t" = code_table("q") {values=[2^24 * sigmoid(s * -128), ...]}
 *     "y" = sigmoid("x")                 "y" = mul("t", 2^-24)
 */
export const tabulateFunctions = definePass({
  name: "tabulate-functions",
  description: "Makes tables over all integers of functions whose results stay real numbers.",
  run: (graph, ops) =>
    rewriteGraph(graph, ops, (value, { build, args }) => {
      const find = (id: ValueId) => build.value(id);
      if (!isTable(value, ops)) return undefined;
      const cone = coneOf(args[0], find, ops);
      if (cone === undefined || cone.steps.length === 0) return undefined;
      const last = { ...value, args };
      const whole = { ...cone, steps: [...cone.steps, last] };
      const { data } = evaluateCone(whole, find, ops, Math.fround);
      const greatest = data.reduce((top, y) => Math.max(top, Math.abs(y)), 0);
      if (!(greatest > 0 && Number.isFinite(greatest))) return undefined;
      const unit = 2 ** (bits - 1 - Math.ceil(Math.log2(greatest)));
      const { lo } = cone.span;
      const values = Array.from(data, (y) => Math.round(y * unit));
      const table = build.op("code_table", [cone.root.id], { lo, values });
      return build.op("mul", [table, build.exactConstant(makeTensor([], [1 / unit]))]);
    }),
});

/** As many as float32 has, with a sign; so much one multiplier of an FPGA takes. */
const bits = 25;

function isTable({ op }: OpValue, ops: Registry): boolean {
  const known = ops.get(op);
  return known?.kind === "primitive" && known.indexDomain !== undefined;
}
