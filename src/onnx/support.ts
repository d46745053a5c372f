import type { DType, Shape } from "../tensor/index.ts";
import { sizeOf } from "../tensor/index.ts";
import type { OnnxModel } from "./model.ts";
import type { ConstOperand, Operand } from "./rules/rule.ts";
import { type NodeOutcome, walkModel } from "./rules/walk.ts";

/** What `nn2fpga inspect` tells of one node. */
export interface NodeReport {
  /** The node's name, or its first output where it has none. */
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  /** Version of the operators of its domain, as the model says. */
  readonly opset?: number;
  readonly outputs: readonly ValueReport[];
  /** `folded`: its result is constant and needs no hardware. */
  readonly status: "supported" | "folded" | "unsupported";
  /** Our operators that it becomes, in order. Empty where it is not supported, or not known well enough. */
  readonly kernel: readonly string[];
  /** Why it is not supported, and what to change. */
  readonly reason?: string;
  readonly hint?: string;
  /** Elements of the constants that it is the first to use. */
  readonly parameters: number;
  /** Multiplications of matrix products, for one inference. */
  readonly macs: number;
}

export interface ValueReport {
  readonly name: string;
  /** Absent where it is not known, because of a node before. */
  readonly shape?: Shape;
  readonly dtype?: DType;
}

/** Tells of every node whether it is supported, and what it costs. Unsupported nodes are told, not thrown. */
export function surveyModel(model: OnnxModel): readonly NodeReport[] {
  const counted = new Set<Operand>();
  return walkModel(model).outcomes.map((outcome) => reportOf(outcome, counted));
}

function reportOf(outcome: NodeOutcome, counted: Set<Operand>): NodeReport {
  const { node, origin, opset, outputs, steps, macs, problems } = outcome;
  const wanted = node.outputs.flatMap((name, i) => (name === "" ? [] : [{ name, is: outputs[i] }]));
  const isFolded = wanted.every(({ is }) => is !== "unknown" && is.kind === "const");
  return {
    name: origin.node,
    opType: node.opType,
    domain: node.domain,
    ...(opset !== undefined && { opset }),
    outputs: wanted.map(({ name, is }) =>
      is === "unknown" ? { name } : { name, shape: is.shape, dtype: is.dtype },
    ),
    status: problems.length > 0 ? "unsupported" : isFolded ? "folded" : "supported",
    kernel: steps.map(({ op }) => op),
    ...(problems.length > 0 && {
      reason: problems.map(({ message }) => message).join("; "),
      hint: [...new Set(problems.map(({ hint }) => hint))].join(" "),
    }),
    parameters: newConstants(outcome, counted).reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    macs,
  };
}

/** Constants that come into the network here first; for an unsupported node all that it reads. */
function newConstants(
  { inputs, steps, problems }: NodeOutcome,
  counted: Set<Operand>,
): ConstOperand[] {
  const used = problems.length > 0 ? inputs : steps.flatMap(({ args }) => args);
  return used.filter((operand): operand is ConstOperand => {
    const isNew = typeof operand === "object" && operand.kind === "const" && !counted.has(operand);
    if (isNew) counted.add(operand);
    return isNew;
  });
}
