import type { Graph } from "../../src/ir/index.ts";
import { importModel, type OnnxModel } from "../../src/onnx/index.ts";
import { walkModel } from "../../src/onnx/rules/walk.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import type { Case } from "./case.ts";

/**
 * The suites give axes, shapes, weights and the like as inputs, which real models have as constants. A case
 * is tried with all its inputs free; if that is refused, with inputs made constant, as few as need be.
 */
export interface Attempt {
  readonly name: string;
  /** Whether an input of the graph stays free. */
  isFree(subject: Case, input: number): boolean;
}

/** Operators whose result depends on nothing that a network computes: for them all may be constant. */
const workedOut: ReadonlySet<string> = new Set(["Constant", "ConstantOfShape", "Shape"]);

const attempts: readonly Attempt[] = [
  { name: "all inputs free", isFree: () => true },
  {
    name: "lists of integers and masks constant",
    isFree: ({ inputs }, i) => {
      const { dtype, shape } = inputs[i].tensor;
      return dtype === "float" || (i === 0 && dtype === "int" && shape.length > 1);
    },
  },
  {
    name: "lists of numbers and masks constant",
    isFree: ({ inputs }, i) => {
      const { dtype, shape } = inputs[i].tensor;
      return i === 0 || (dtype === "float" && shape.length > 1);
    },
  },
  { name: "first input free", isFree: (_, i) => i === 0 },
  { name: "last input free", isFree: ({ inputs }, i) => i === inputs.length - 1 },
  { name: "all constant", isFree: () => false },
];

/** The attempts that differ for a case, in order. */
export function attemptsOf(subject: Case): readonly Attempt[] {
  const seen = new Set<string>();
  const mayBeConstant = subject.model.graph.nodes.every(({ opType }) => workedOut.has(opType));
  return attempts.filter((attempt) => {
    const free = subject.inputs.map((_, i) => attempt.isFree(subject, i));
    const isNew = !seen.has(free.join());
    seen.add(free.join());
    return isNew && (mayBeConstant || free.includes(true));
  });
}

/** A case as a graph, with what does not depend on its free inputs worked out already. */
export interface Prepared {
  /** Nothing where all outputs are constant. */
  readonly graph: Graph | undefined;
  /** Of each output of the case: its constant, or its place among the graph's outputs. */
  readonly outputs: readonly (Tensor | number)[];
}

/** @throws Nn2fpgaError where the import refuses the case */
export function prepare(subject: Case, attempt: Attempt): Prepared {
  const model = withConstants(subject, attempt);
  const { operands } = walkModel(model);
  let free = 0;
  const outputs = model.graph.outputs.map(({ name }) => {
    const operand = operands.get(name);
    return typeof operand === "object" && operand.kind === "const" ? operand.data : free++;
  });
  if (free === 0) return { graph: undefined, outputs };
  const varying = model.graph.outputs.filter((_, i) => typeof outputs[i] === "number");
  const graph = importModel({ ...model, graph: { ...model.graph, outputs: varying } });
  return { graph, outputs };
}

function withConstants(subject: Case, attempt: Attempt): OnnxModel {
  const { model, inputs } = subject;
  const { graph } = model;
  const initializers = new Map(graph.initializers);
  const free = graph.inputs.filter(({ name }, i) => {
    if (attempt.isFree(subject, i)) return true;
    const { tensor, elementType } = inputs[i];
    initializers.set(name, { ...tensor, elementType });
    return false;
  });
  return { ...model, graph: { ...graph, inputs: free, initializers } };
}
