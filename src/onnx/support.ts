import type { DType, Shape } from "../tensor/index.ts";
import { sizeOf } from "../tensor/index.ts";
import { foundFormat } from "./found-format.ts";
import type { OnnxModel, OnnxNode } from "./model.ts";
import { conditionsOf } from "./rules/conditions.ts";
import { ruleOf } from "./rules/index.ts";
import type { NodeInput } from "./rules/node-view.ts";
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
  /** What it reads; optional inputs that are left out are not listed. */
  readonly inputs: readonly ValueReport[];
  readonly outputs: readonly ValueReport[];
  /**
   * `folded`: its result is constant and needs no hardware. `unknown`: its operator is read, but of its
   * inputs too little is known to judge it, because of a node before.
   */
  readonly status: "supported" | "folded" | "unknown" | "unsupported";
  /** Our operators that it becomes, in order. Empty where it is not supported, or not known well enough. */
  readonly kernel: readonly string[];
  /** Why it is not supported, and what to change. */
  readonly reason?: string;
  readonly hint?: string;
  /** Under which conditions its operator is read at all; where it is refused and there are any. */
  readonly conditions?: string;
  /** What a quantized model says of the numbers here: `int8, scale 0.0078125`. */
  readonly format?: string;
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
  readonly isConstant?: true;
}

/** Tells of every node whether it is supported, and what it costs. Unsupported nodes are told, not thrown. */
export function surveyModel(model: OnnxModel): readonly NodeReport[] {
  const counted = new Set<Operand>();
  return walkModel(model).outcomes.map((outcome) => reportOf(outcome, model, counted));
}

function reportOf(outcome: NodeOutcome, model: OnnxModel, counted: Set<Operand>): NodeReport {
  const { node, origin, opset, inputs, outputs, macs, steps, problems } = outcome;
  const format = foundFormat(node, inputs, model);
  return {
    name: origin.node,
    opType: node.opType,
    domain: node.domain,
    ...(opset !== undefined && { opset }),
    inputs: valuesOf(node.inputs, inputs),
    outputs: valuesOf(node.outputs, outputs),
    status: statusOf(outcome),
    kernel: steps.map(({ op }) => op),
    ...(problems.length > 0 && {
      reason: problems.map(({ message }) => message).join("; "),
      hint: [...new Set(problems.map(({ hint }) => hint))].join(" "),
      ...readWith(node),
    }),
    ...(format !== undefined && { format }),
    parameters: newConstants(outcome, counted).reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    macs,
  };
}

/** Those of the operators that have a rule. */
function readWith({ domain, opType }: OnnxNode): { readonly conditions?: string } {
  const told = ruleOf(domain, opType) === undefined ? "" : conditionsOf(domain, opType);
  return told === "" ? {} : { conditions: told };
}

function statusOf({ node, outputs, isJudged, problems }: NodeOutcome): NodeReport["status"] {
  if (problems.length > 0) return "unsupported";
  if (!isJudged) return "unknown";
  const wanted = outputs.filter((_, i) => node.outputs[i] !== "");
  const isFolded = wanted.every((output) => output !== "unknown" && output.kind === "const");
  return isFolded ? "folded" : "supported";
}

function valuesOf(names: readonly string[], are: readonly NodeInput[]): ValueReport[] {
  return names.flatMap((name, i): ValueReport[] => {
    const is = are[i];
    if (name === "") return [];
    if (is === undefined || is === "unknown") return [{ name }];
    const { shape, dtype, kind } = is;
    return [{ name, shape, dtype, ...(kind === "const" && { isConstant: true }) }];
  });
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
