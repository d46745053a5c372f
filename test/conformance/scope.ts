import { Nn2fpgaError } from "../../src/base/index.ts";
import { importModel, minOpset, type OnnxGraph, type OnnxModel } from "../../src/onnx/index.ts";
import { elementTypes } from "../../src/tensor/index.ts";
import { type CaseEntry, casesFolder, readCaseModel } from "./case.ts";

/** The operators that networks for this compiler are made of, as the project's aims list them. */
export const targetOperators: ReadonlySet<string> = new Set(
  `
  Constant ConstantOfShape Identity Dropout Cast Shape Reshape Flatten Squeeze Unsqueeze Transpose
  Slice Split Concat Gather Pad Expand Tile DepthToSpace SpaceToDepth Resize Upsample Where
  Conv ConvTranspose Gemm MatMul Einsum Attention BatchNormalization LayerNormalization
  InstanceNormalization GroupNormalization RMSNormalization LRN
  MaxPool AveragePool GlobalMaxPool GlobalAveragePool ReduceL1 ReduceL2 ReduceLogSum
  ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
  ArgMax ArgMin TopK
  Add Sub Mul Div Sum Mean Max Min Abs Neg Exp Log Sqrt Reciprocal Pow Clip Ceil Floor Round Sign Erf
  Relu LeakyRelu PRelu ThresholdedRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Swish Mish Gelu
  Tanh Softplus Softsign Softmax LogSoftmax
  LSTM GRU RNN
  QuantizeLinear DequantizeLinear QLinearConv QLinearMatMul ConvInteger MatMulInteger
  `
    .trim()
    .split(/\s+/),
);

/** Whether a case counts, and if not why: by the rule, and in the words of our own refusal. */
export type Scope =
  | { readonly inScope: true }
  | { readonly inScope: false; readonly rule: string; readonly refusal: string };

/**
 * In scope are cases of standard operators of version `minOpset` or newer whose operators are all in
 * `targetOperators`, and whose inputs and outputs are tensors of numbers of known extents.
 */
export function scopeOf(entry: CaseEntry): Scope {
  let model: OnnxModel;
  try {
    model = readCaseModel(entry);
  } catch (error) {
    if (!(error instanceof Nn2fpgaError)) throw error;
    const rule = `operators before version ${minOpset}, or no model`;
    return { inScope: false, rule, refusal: textOf(error) };
  }
  const rule = exclusion(model);
  if (rule === undefined) return { inScope: true };
  return { inScope: false, rule, refusal: refusalOf(model) };
}

function exclusion({ graph }: OnnxModel): string | undefined {
  const others = operatorsOf(graph).filter((op) => !targetOperators.has(op));
  if (others.length > 0) return `operators ${[...new Set(others)].join(", ")}`;
  for (const { name, elementType, shape } of [...graph.inputs, ...graph.outputs]) {
    if (!(elementType in elementTypes)) return `${name} is of type ${elementType}`;
    if (shape === null) return `${name} has an unknown shape`;
  }
  for (const { name, shape } of graph.inputs) {
    const unknown = (shape ?? []).findIndex((dim) => typeof dim !== "number");
    if (unknown >= 0) return `axis ${unknown} of ${name} has no fixed extent, or no elements`;
  }
  return undefined;
}

function operatorsOf(graph: OnnxGraph): string[] {
  return graph.nodes.map(({ domain, opType }) => (domain === "" ? opType : `${domain}.${opType}`));
}

function refusalOf(model: OnnxModel): string {
  try {
    importModel(model);
    return "none: the import takes it";
  } catch (error) {
    if (!(error instanceof Nn2fpgaError)) throw error;
    return textOf(error);
  }
}

/** The first problem, and how many more there are. */
export function textOf({ problems }: Nn2fpgaError): string {
  const [{ code, message, at }] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  const text = `${code}: ${message}${at === undefined ? "" : ` at ${at}`}${more}`;
  return text.replaceAll(`${casesFolder}/`, "").replaceAll(/\s+/g, " ");
}
