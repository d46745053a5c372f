import { type Problem, renderProblem } from "../base/index.ts";
import { maxCode, minCode } from "../fixed/index.ts";
import { sameShape, shapeText, sizeOf } from "../tensor/index.ts";
import { type Graph, originText, type Value, type ValueId } from "./graph.ts";
import type { Registry } from "./op.ts";
import { primitiveOf, quantArgs } from "./quantize-value.ts";

/**
 * What is wrong with a graph: arguments that come too late, unknown operators, shapes that their operator
 * does not give, codes outside their format. Empty where all is well.
 */
export function graphProblems(graph: Graph, ops: Registry): readonly Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<ValueId>();
  for (const [id, value] of graph.values) {
    const report = (message: string) =>
      problems.push({
        code: "N2F_GRAPH_INVALID",
        message,
        at: `${id}, ${originText(value.origin)}`,
      });
    if (value.id !== id) report(`the value is filed as ${id} and calls itself ${value.id}`);
    const late = value.kind === "op" ? value.args.filter((arg) => !seen.has(arg)) : [];
    for (const arg of late) report(`argument ${arg} is not made before it is used`);
    if (late.length === 0) checkValue(graph, value, ops, report);
    seen.add(id);
  }
  for (const { name, value } of graph.outputs) {
    if (!seen.has(value)) {
      problems.push({
        code: "N2F_GRAPH_INVALID",
        message: `output ${name} is no value`,
        at: value,
      });
    }
  }
  return problems;
}

function checkValue(
  graph: Graph,
  value: Value,
  ops: Registry,
  report: (message: string) => void,
): void {
  if (value.kind === "const") {
    if (value.data.data.length !== sizeOf(value.shape)) report("data and shape differ in size");
    if (value.quant !== undefined) {
      const { format } = value.quant;
      const [min, max] = [Number(minCode(format)), Number(maxCode(format))];
      const bad = value.data.data.find(
        (code) => !Number.isSafeInteger(code) || code < min || code > max,
      );
      if (bad !== undefined) report(`code ${bad} is outside its format`);
    }
  }
  if (value.kind !== "op") return;
  const op = ops.get(value.op);
  if (op === undefined) {
    report(`there is no operator ${value.op}`);
    return;
  }
  try {
    const args = value.args.map((arg) => graph.values.get(arg) as Value);
    const type = op.type(args, value.attrs);
    if (!sameShape(type.shape, value.shape) || type.dtype !== value.dtype) {
      report(
        `${value.op} gives ${type.dtype}${shapeText(type.shape)}, not ${value.dtype}${shapeText(value.shape)}`,
      );
    }
    if (value.quant === undefined) return;
    if (args.some((arg) => arg.quant === undefined)) {
      report("an argument is not quantized");
      return;
    }
    const derived = primitiveOf(ops, value.op).quant(quantArgs(graph, value), value.attrs);
    const [a, b] = [derived.format, value.quant.format];
    if (a.width !== b.width || a.frac !== b.frac || a.signed !== b.signed) {
      report("the format is not the one that the operator gives");
    }
  } catch (error) {
    report((error as Error).message);
  }
}

/** @throws Error naming every fault; for tests and between passes, where a fault is our own */
export function assertGraph(graph: Graph, ops: Registry, after: string): Graph {
  const problems = graphProblems(graph, ops);
  if (problems.length > 0)
    throw new Error(`after ${after}:\n${problems.map(renderProblem).join("\n")}`);
  return graph;
}
