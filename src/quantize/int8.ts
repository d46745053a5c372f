import {
  type ConstValue,
  forEachWeightRow,
  type Graph,
  getValue,
  isDense,
  type OpValue,
  type Registry,
  type RewriteContext,
  rewriteGraph,
  type Value,
  type ValueId,
  type WeightMatrices,
  weightMatrices,
} from "../ir/index.ts";
import { makeTensor } from "../tensor/index.ts";
import type { Statistics } from "./statistics.ts";

/** Operators that add or join numbers: their arguments are quantized too, as the exporters of int8 models do. */
const joining = new Set(["add", "sub", "concat", "sum_pool", "reduce_sum"]);
/** Greatest code of a weight: symmetric, so -128 does not occur. */
const mostWeight = 127;
/** Codes of an activation: unsigned 8 bits with a zero point. */
const mostActivation = 255;

/**
 * The network as an int8 model of ONNX Runtime's static quantization has it: activations in unsigned 8 bits with
 * a scale and a zero point for each tensor, from the extremes that calibration saw; weights in 8 bits,
 * symmetric, with a scale for each column; biases in 32 bits at the scale of the products. What comes out is
 * a quantized model like those that are read from files: all is exact from here on, and passes bring the
 * scales together.
 *
 *     "y" = matmul("x", "w", "b")     "x.int8" = quantize("x") {div=[s], ...}
 *                                     "y" = mul(matmul("x.int8" - z, "w.int8", "b.int32"), s * t)
 *
 * @see https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
 */
export function quantizeToInt8(graph: Graph, ops: Registry, statistics: Statistics): Graph {
  const activations = new Map<ValueId, Activation>();
  return rewriteGraph(graph, ops, (value, context) => {
    const integers = (id: ValueId, old: ValueId) => {
      const known = activations.get(id) ?? quantizeActivation(id, old, context, statistics);
      if (known !== undefined) activations.set(id, known);
      return known;
    };
    const find = (id: ValueId) => context.build.value(id);
    if (isDense({ ...value, args: context.args }, find)) {
      return quantizeProduct(graph, value, context, integers);
    }
    if (!joining.has(value.op)) return undefined;
    const args = context.args.map((id, i) => {
      const own = isReal(find(id)) ? integers(id, value.args[i]) : undefined;
      return own === undefined ? id : toReal(own, context);
    });
    return args.every((id, i) => id === context.args[i])
      ? undefined
      : context.build.op(value.op, args, value.attrs);
  });
}

/** A tensor in 8 bits: real = (code - zeroPoint) * scale. */
interface Activation {
  readonly codes: ValueId;
  readonly scale: number;
  readonly zeroPoint: number;
}

type Integers = (id: ValueId, old: ValueId) => Activation | undefined;

function isReal(value: Value): boolean {
  return value.kind !== "const" && value.dtype === "float";
}

function quantizeActivation(
  id: ValueId,
  old: ValueId,
  { build }: RewriteContext,
  statistics: Statistics,
): Activation | undefined {
  const seen = statistics.get(old);
  if (seen === undefined || !isReal(build.value(id))) return undefined;
  const [min, max] = [Math.min(seen.min, 0), Math.max(seen.max, 0)];
  const scale = Math.fround((max - min) / mostActivation) || 1;
  const zeroPoint = Math.max(0, Math.min(mostActivation, Math.round(-min / scale)));
  const attrs = {
    axis: 0,
    mul: [1],
    add: [0],
    div: [scale],
    zero_point: [zeroPoint],
    lo: 0,
    hi: mostActivation,
    rounding: "half_even",
    arithmetic: "exact",
  };
  return { codes: build.op("quantize", [id], attrs, `${id}.int8`), scale, zeroPoint };
}

/** Codes without their zero point. */
function centred({ codes, zeroPoint }: Activation, { build }: RewriteContext): ValueId {
  if (zeroPoint === 0) return codes;
  const zero = build.constant(makeTensor([], [zeroPoint], "int"), `${codes}.zero_point`);
  return build.op("sub", [codes, zero], {}, `${codes}.centred`);
}

function toReal(activation: Activation, context: RewriteContext): ValueId {
  const { build } = context;
  const scale = build.exactConstant(
    makeTensor([], [activation.scale]),
    `${activation.codes}.scale`,
  );
  return build.op("mul", [centred(activation, context), scale]);
}

function quantizeProduct(
  graph: Graph,
  value: OpValue,
  context: RewriteContext,
  integers: Integers,
): ValueId | undefined {
  const { build, args } = context;
  const [x, w, bias] = args;
  const weights = build.value(w) as ConstValue;
  const matrices = weightMatrices(value.op, weights.shape);
  // Integers of a quantized model stay what they are.
  if (matrices === undefined || weights.dtype !== "float" || weights.exact === true)
    return undefined;
  if (getValue(graph, value.args[0]).dtype !== "float") return undefined;
  const activation = integers(x, value.args[0]);
  if (activation === undefined) return undefined;
  const { codes, scales } = quantizeWeights(weights, matrices);
  // Rounded to float32 as the scales in a file are, so that all products stay short.
  const products = scales.map((scale) => Math.fround(scale * activation.scale));
  const made = [
    centred(activation, context),
    build.constant(makeTensor(weights.shape, codes, "int"), `${w}.int8`),
  ];
  if (bias !== undefined) {
    const data = (build.value(bias) as ConstValue).data.data.map((b, n) =>
      Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.round(b / products[n]))),
    );
    made.push(build.constant(makeTensor([data.length], data, "int"), `${bias}.int32`));
  }
  const sums = build.op(value.op, made, value.attrs, `${value.id}.int32`);
  const scale = build.exactConstant(makeTensor([products.length], products), `${value.id}.scale`);
  return build.op("mul", [sums, scale]);
}

function quantizeWeights(
  { data: { data } }: ConstValue,
  matrices: WeightMatrices,
): { codes: Float64Array; scales: Float64Array } {
  const { groups, columns } = matrices;
  const reach = new Float64Array(groups * columns);
  forEachWeightRow(matrices, (first, column) => {
    for (let n = 0; n < columns; n++) {
      reach[column + n] = Math.max(reach[column + n], Math.abs(data[first + n]));
    }
  });
  const scales = reach.map((size) => Math.fround(size / mostWeight) || 1);
  const codes = new Float64Array(data.length);
  forEachWeightRow(matrices, (first, column) => {
    for (let n = 0; n < columns; n++) {
      const code = Math.round(data[first + n] / scales[column + n]);
      codes[first + n] = Math.max(-mostWeight, Math.min(mostWeight, code));
    }
  });
  return { codes, scales };
}
