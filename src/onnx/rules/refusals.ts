import type { OnnxNode } from "../model.ts";

/** Why an operator has no rule, and what to do about it. */
export interface Refusal {
  readonly reason: string;
  readonly hint: string;
}

/** Refusals of many operators at once. */
export interface RefusalGroup {
  /** What they have in common, for a list of them. */
  readonly title: string;
  /** Of the operator, after its domain: `ai.onnx.ml.Scaler`, or `Conv` alone for the standard's own. */
  readonly pattern: RegExp;
  readonly reason: string;
  readonly hint: string;
}

const quantized = {
  reason: "there is no rule for this quantized operator",
  hint: "Export the model with QuantizeLinear and DequantizeLinear around float operators (QDQ format), which is read throughout.",
};

/** The first that matches speaks. */
export const refusals: readonly RefusalGroup[] = [
  {
    title: "`DynamicQuantizeLinear` and its kind",
    pattern: /^(DynamicQuantizeLinear|DynamicQuantizeLSTM|.*\.DynamicQuantize\w+)$/,
    reason: "its scale depends on the data, so no format can be fixed beforehand",
    hint: "Export the float model; nn2fpga fixes the formats before the hardware is made.",
  },
  {
    title: "`FloatQuant`",
    pattern: /\.FloatQuant$/,
    reason: "it rounds to a small floating-point type; kernels compute in fixed point",
    hint: "Train with an integer quantizer (Brevitas Int*), or export the float model.",
  },
  {
    title: "`finn.custom_op.fpgadataflow`",
    pattern: /^finn\.custom_op\.fpgadataflow/,
    reason: "it is a layer of FINN's own hardware, no longer an operation on numbers",
    hint: "Take the model from before FINN's conversion to hardware layers: the QONNX or ONNX export of the trained network.",
  },
  {
    title: "`ai.onnx.ml.TreeEnsemble...`",
    pattern: /^ai\.onnx\.ml\.TreeEnsemble/,
    reason: "a decision tree ensemble is no neural network",
    hint: "Use conifer (https://github.com/thesps/conifer), which makes firmware of tree ensembles.",
  },
  {
    title: "the rest of `ai.onnx.ml`",
    pattern: /^ai\.onnx\.ml\./,
    reason: "operators of classical machine learning have no hardware",
    hint: "Export the network alone, and leave scaling, encoding and labels to the host.",
  },
  {
    title: "`ai.onnx.preview.training`",
    pattern: /^ai\.onnx\.preview\.training\./,
    reason: "it is a step of training",
    hint: "Export the trained network in evaluation mode, without gradients and optimizers.",
  },
  {
    title: "other quantized operators of `com.microsoft`",
    pattern: /^com\.microsoft\.(Q\w+|\w+NBits|\w*Quantize\w*|\w*Integer\w*|MatMulBnb4)$/,
    ...quantized,
  },
  {
    title: "the rest of `com.microsoft`",
    pattern: /^com\.microsoft\./,
    reason: "it is an operator of ONNX Runtime's own, which its optimizer writes",
    hint: "Use the model from before ONNX Runtime optimized it, with standard operators only.",
  },
  {
    title: "`DeformConv`, `GridSample`, `RoiAlign`, `MaxRoiPool`",
    pattern: /^(DeformConv|GridSample|\w*RoiPool|RoiAlign)$/,
    reason: "where it reads depends on the data, which fixed wiring cannot do",
    hint: "Use a convolution or a resize at fixed positions in its place.",
  },
  {
    title: "`MaxUnpool`",
    pattern: /^MaxUnpool$/,
    reason: "it puts values at positions that the network computes",
    hint: "Use ConvTranspose or Resize to enlarge in its place.",
  },
  {
    title: "`If`, `Loop`, `Scan`, `SequenceMap`",
    pattern: /^(If|Loop|Scan|SequenceMap)$/,
    reason: "control flow has no hardware: a kernel does the same for every input",
    hint: "Export by tracing with fixed shapes, so that branches are decided and loops unrolled; onnxsim may also fold them.",
  },
  {
    title: "`Random...`, `Bernoulli`, `Multinomial`",
    pattern: /^(Random\w+|Bernoulli|Multinomial)$/,
    reason: "its result is random; a kernel gives the same bits for the same input",
    hint: "Export in evaluation mode, or make the random numbers an input.",
  },
  {
    title:
      "`Sequence...`, `Optional...`, `String...`, `Unique` and what else has results of any size",
    pattern:
      /^(Sequence\w+|\w+Sequence|Optional\w*|String\w*|RegexFullMatch|TfIdfVectorizer|ImageDecoder|Unique)$/,
    reason: "it works on sequences, text or tensors whose size depends on the data",
    hint: "Leave this step to the host; kernels take and give numbers of fixed shapes.",
  },
  {
    title: "`BitwiseAnd`, `BitwiseOr`, `BitwiseXor`, `BitwiseNot`",
    pattern: /^Bitwise(And|Or|Xor|Not)$/,
    reason: "numbers are kept as wide as they need, so that they have no bits of a fixed place",
    hint: "Write masks of low bits as Mod by a power of two, and shifts as BitShift; use And, Or, Xor and Not for truth values.",
  },
  {
    title: "`DFT`, `STFT`, `MelWeightMatrix`, window functions",
    pattern: /^(DFT|STFT|MelWeightMatrix|\w+Window)$/,
    reason: "it belongs to signal processing before the network and has no rule",
    hint: "Leave this step to the host; or write a transform of fixed length as a MatMul with its constant matrix.",
  },
  {
    title: "`NonMaxSuppression`",
    pattern: /^NonMaxSuppression$/,
    reason: "the size of its result depends on the data",
    hint: "Take boxes and scores as outputs, and leave this step to the host.",
  },
  {
    title: "`IsNaN`, `IsInf`",
    pattern: /^Is(NaN|Inf)$/,
    reason: "fixed-point numbers are neither infinite nor no numbers",
    hint: "Leave this node out; the answer is always false.",
  },
  {
    title: "`Gradient`, `Momentum`, `Adagrad`, `Adam`",
    pattern: /^(Gradient|Momentum|Adagrad|Adam)$/,
    reason: "it is a step of training",
    hint: "Export the trained network in evaluation mode, without gradients and optimizers.",
  },
];

/**
 * Why a node is not supported that has no rule.
 * @param ruled the standard's operators that have rules
 * @param isLocal whether the model defines the operator itself
 */
export function refusalOf(
  { domain, opType }: OnnxNode,
  ruled: readonly string[],
  isLocal: boolean,
): Refusal {
  if (isLocal) {
    return {
      reason: "the model defines this operator itself, as a function of others",
      hint: "Expand it with onnx.inliner.inline_local_functions(model), then save and compile the result.",
    };
  }
  const full = domain === "" ? opType : `${domain}.${opType}`;
  const group = refusals.find(({ pattern }) => pattern.test(full));
  if (group !== undefined) return { reason: group.reason, hint: group.hint };
  if (domain !== "") {
    return {
      reason: `operators of the domain ${domain} are not known`,
      hint: "Write this part with standard operators, and export again.",
    };
  }
  // Operators are written like Pascal's names: what differs in case alone was meant.
  const meant = ruled.find((op) => op.toLowerCase() === opType.toLowerCase());
  return {
    reason: "there is no rule for this operator",
    hint: `${meant === undefined ? "" : `Did you mean ${meant}? `}Write this part of the network with operators that are read; docs/operators.md lists all ${ruled.length}.`,
  };
}
