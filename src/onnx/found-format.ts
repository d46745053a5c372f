import { elementTypes, type Tensor } from "../tensor/index.ts";
import type { OnnxAttribute, OnnxModel, OnnxNode } from "./model.ts";
import type { NodeInput } from "./rules/node-view.ts";

/**
 * What a node of a quantized model says of its numbers, in the words of its kind: `int8, scale 0.0078125`.
 * Nothing for nodes that fix no format.
 */
export function foundFormat(
  node: OnnxNode,
  inputs: readonly NodeInput[],
  model: OnnxModel,
): string | undefined {
  const { opType, domain } = node;
  const text = (name: string) => {
    const attribute = node.attributes.get(name);
    return attribute?.kind === "string" ? attribute.value : undefined;
  };
  const scaled = (scale: number, zeroPoint: number) =>
    scaledText(typeOf(node.inputs[zeroPoint], model), constant(inputs[scale]), inputs[zeroPoint]);
  switch (opType) {
    case "QuantizeLinear":
    case "DequantizeLinear":
      return scaled(1, 2);
    case "QLinearConv":
    case "QLinearMatMul":
      return scaled(6, 7);
    case "Quant":
    case "IntQuant": {
      const bits = list(constant(inputs[3]));
      const signed = number(node.attributes.get("signed"), 1) !== 0 ? "" : "u";
      const narrow = number(node.attributes.get("narrow"), 0) !== 0 ? " narrow" : "";
      const rounding = text("rounding_mode") ?? "ROUND";
      const head = `${signed}int${bits}${narrow}`;
      return `${scaledText(head, constant(inputs[1]), inputs[2])}, ${rounding}`;
    }
    case "BipolarQuant":
      return scaledText("bipolar (-1, 1)", constant(inputs[1]), undefined);
    case "Trunc": {
      const [from, to] = [list(constant(inputs[3])), list(constant(inputs[4]))];
      return `truncated from ${from} to ${to} bits, ${text("rounding_mode") ?? "FLOOR"}`;
    }
    case "FloatQuant": {
      const [exponent, mantissa] = [list(constant(inputs[2])), list(constant(inputs[3]))];
      return `float with ${exponent} bits of exponent, ${mantissa} of mantissa`;
    }
    case "MultiThreshold": {
      const levels = constant(inputs[1])?.shape.at(-1);
      return levels === undefined ? undefined : `${text("out_dtype") ?? "?"}, ${levels} thresholds`;
    }
    default:
      return domain === "com.microsoft" && /^QLinear(Add|Mul|Concat|Sigmoid|LeakyRelu)/.test(opType)
        ? "scales in its inputs"
        : undefined;
  }
}

function constant(input: NodeInput): Tensor | undefined {
  return typeof input === "object" && input.kind === "const" ? input.data : undefined;
}

function number(attribute: OnnxAttribute | undefined, otherwise: number): number {
  return attribute?.kind === "int" || attribute?.kind === "float" ? attribute.value : otherwise;
}

/** The element type that the file gives a constant; uint8 where there is none, as ONNX has it. */
function typeOf(name: string | undefined, { graph }: OnnxModel): string {
  if (!name) return "uint8";
  const type = graph.initializers.get(name)?.elementType ?? graph.valueInfo.get(name)?.elementType;
  return type !== undefined && type in elementTypes ? type : "integer";
}

function scaledText(type: string, scale: Tensor | undefined, zeroPoint: NodeInput): string {
  const scales = scale === undefined ? "computed scale" : `scale ${list(scale)}`;
  const zero = constant(zeroPoint);
  const isZero = zero === undefined || zero.data.every((value) => value === 0);
  return `${type}, ${scales}${isZero ? "" : `, zero point ${list(zero)}`}`;
}

/** One number, or how many there are and between what. */
function list(tensor: Tensor | undefined): string {
  if (tensor === undefined || tensor.data.length === 0) return "?";
  const { data } = tensor;
  let [low, high] = [data[0], data[0]];
  for (const value of data) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const short = (value: number) => String(Number(value.toPrecision(6)));
  return low === high ? short(low) : `${data.length} from ${short(low)} to ${short(high)}`;
}
