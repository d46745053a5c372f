import { assert, Nn2fpgaError, type Problem } from "../base/index.ts";
import { type Format, makeFormat } from "../fixed/index.ts";
import { Builder, type Graph, type GraphOutput, type ValueId } from "../ir/index.ts";
import { ops } from "../ops/index.ts";
import { type ElementType, elementTypes } from "../tensor/index.ts";
import type { OnnxGraph, OnnxModel } from "./model.ts";
import type { ConstOperand, Operand } from "./rules/rule.ts";
import { type NodeOutcome, type Walk, walkModel } from "./rules/walk.ts";

/**
 * The graph of a model: operators of ONNX said with our own, constants worked out, shapes fixed (a
 * symbolic batch becomes 1). Values keep the names that the model gives them.
 *
 * @throws Nn2fpgaError with everything that stands in the way: N2F_OP_UNSUPPORTED for each unsupported
 *   node, N2F_OP_ATTRIBUTE, N2F_ONNX_SHAPE, N2F_ONNX_DTYPE
 */
export function importModel(model: OnnxModel): Graph {
  const walk = walkModel(model);
  const needed = neededNodes(model.graph, walk.outcomes);
  const problems = [
    ...walk.problems,
    ...needed.flatMap((outcome) => outcome.problems),
    ...outputProblems(model, walk),
  ];
  if (problems.length > 0) throw new Nn2fpgaError(problems);
  return build(model, walk, needed);
}

/** Nodes whose results reach an output. What only others need is not looked at. */
function neededNodes(graph: OnnxGraph, outcomes: readonly NodeOutcome[]): NodeOutcome[] {
  const names = new Set(graph.outputs.map(({ name }) => name));
  const needed = outcomes.toReversed().filter(({ node }) => {
    const isNeeded = node.outputs.some((name) => name !== "" && names.has(name));
    if (isNeeded) for (const input of node.inputs) names.add(input);
    return isNeeded;
  });
  return needed.reverse();
}

function outputProblems({ graph }: OnnxModel, { operands }: Walk): Problem[] {
  return graph.outputs.flatMap(({ name }): Problem[] => {
    const operand = operands.get(name);
    if (operand === "unknown" || operand?.kind !== "const") return [];
    return [
      {
        code: "N2F_OP_UNSUPPORTED",
        message: "the output is constant: no input has a part in it",
        at: `${name} (Output)`,
        hint: "Remove it from the outputs of the model, and give its value to the clients directly.",
      },
    ];
  });
}

/** Integers of up to 16 bits keep their format; wider ones mostly have it for convenience. */
function integerFormat(type: ElementType | undefined): Format | undefined {
  if (type === undefined) return undefined;
  const { dtype, bits, signed } = elementTypes[type];
  return dtype === "int" && bits <= 16 ? makeFormat(signed, bits, 0) : undefined;
}

function build({ graph }: OnnxModel, walk: Walk, outcomes: readonly NodeOutcome[]): Graph {
  const builder = new Builder(ops);
  const ids = new Map<Operand, ValueId>();
  const taken = new Set(walk.operands.keys());
  const freeName = (wish: string): string => {
    let name = wish;
    for (let n = 1; taken.has(name); n++) name = `${wish}_${n}`;
    taken.add(name);
    return name;
  };
  const addConstant = (operand: ConstOperand): ValueId => {
    const isOwnName = walk.operands.get(operand.name) === operand;
    const name = isOwnName ? operand.name : freeName(operand.name);
    const from = builder.from(operand.origin);
    return operand.exact
      ? from.exactConstant(operand.data, name)
      : from.constant(operand.data, name);
  };
  const idOf = (operand: Operand): ValueId => {
    const known = ids.get(operand);
    if (known !== undefined) return known;
    assert(operand.kind === "const", "an operand is used before it is made");
    const id = addConstant(operand);
    ids.set(operand, id);
    return id;
  };

  for (const { name, operand } of walk.inputs) {
    if (operand === "unknown") continue;
    const { shape, dtype, elementType } = operand;
    const from = builder.from({ node: name, type: "Input" });
    ids.set(operand, from.input(name, { shape, dtype }, undefined, integerFormat(elementType)));
  }
  for (const { node, origin, outputs, steps } of outcomes) {
    for (const { op, args, attrs, result } of steps) {
      const argIds = args.map(idOf);
      const position = outputs.indexOf(result);
      const name = node.outputs[position] || freeName(`${origin.node}.${op}`);
      ids.set(result, builder.from(origin).op(op, argIds, attrs, name));
    }
  }
  const outputs = graph.outputs.map(({ name }): GraphOutput => {
    const operand = walk.operands.get(name);
    assert(operand !== undefined && operand !== "unknown", `output ${name} is not known`);
    return { name, value: idOf(operand) };
  });
  return builder.graph(graph.name || "network", outputs);
}
