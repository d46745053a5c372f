import {
  type Builder,
  inversePerm,
  type OpValue,
  permOf,
  type Registry,
  rewriteGraph,
  samePerm,
  type Value,
} from "../ir/index.ts";
import { sameShape, sizeOf } from "../tensor/index.ts";
import { definePass } from "./pass.ts";

/**
 * Moves what is left of transposes up through operators of one value, where those lead to an input: there they are an
 * order of addresses, and the operators stand beside the product that they can be folded into.
 *
 *     "s" = mul("x", "c")            "t" = transpose("x", p)
 *     "y" = transpose("s", p)        "y" = mul("t", "transposed c")
 */
export const hoistTransposes = definePass({
  name: "hoist-transposes",
  description: "Moves transposes that are left up, towards the inputs.",
  run: (graph, ops) => {
    let current = graph;
    // Each run moves every transpose by one operator.
    for (let more = true; more; ) {
      more = false;
      current = rewriteGraph(current, ops, (value, { build, args, isUsedOnce }) => {
        const perm = permOf(value);
        if (perm === undefined) return undefined;
        const inner = build.value(args[0]);
        if (inner.kind !== "op" || !isUsedOnce(inner.id)) return undefined;
        const swap = ops.get(inner.op)?.swapTranspose;
        const operands = inner.args.map((id) => build.value(id));
        const varying = operands.filter(({ kind }) => kind !== "const");
        if (swap === undefined || varying.length !== 1 || !sameShape(varying[0].shape, inner.shape))
          return undefined;
        if (!comesFromInput(build, ops, inner)) return undefined;
        // op(x) = transpose(op'(transpose(x, perm)), inverse), by the rule for transposed arguments.
        const swapped = swap(inversePerm(perm), inner.attrs);
        if (!samePerm(swapped.perm, inversePerm(perm))) return undefined;
        more = true;
        build.from(inner.origin);
        const full = (operand: Value) => {
          if (operand.shape.length === perm.length) return operand.id;
          const missing = new Array<number>(perm.length - operand.shape.length).fill(1);
          return build.op("reshape", [operand.id], { shape: [...missing, ...operand.shape] });
        };
        const moved = operands.map((operand) =>
          sizeOf(operand.shape) === 1 && operand.kind === "const"
            ? operand.id
            : build.op("transpose", [full(operand)], { perm }),
        );
        return build.op(inner.op, moved, swapped.attrs as OpValue["attrs"]);
      });
    }
    return current;
  },
});

/** Whether a value is an input behind operators of one value each. */
function comesFromInput(build: Builder, ops: Registry, value: Value): boolean {
  let current = value;
  while (current.kind === "op" && ops.get(current.op)?.swapTranspose !== undefined) {
    const varying = current.args
      .map((id) => build.value(id))
      .filter(({ kind }) => kind !== "const");
    if (varying.length !== 1) return false;
    current = varying[0];
  }
  return current.kind === "input";
}
