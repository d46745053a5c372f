import { Nn2fpgaError, type Problem } from "../../base/index.ts";
import { type ArgType, type Origin, originText } from "../../ir/index.ts";
import {
  type ElementType,
  elementTypes,
  maxElements,
  type Shape,
  shapeText,
  sizeOf,
} from "../../tensor/index.ts";
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxValueInfo } from "../model.ts";
import { networkOperators, ruleOf } from "./index.ts";
import { type NodeInput, NodeView, UnknownInput } from "./node-view.ts";
import { refusalOf } from "./refusals.ts";
import { type ComputedOperand, type Operand, unsupported } from "./rule.ts";
import { maxFoldedElements, RuleContext, type Step } from "./rule-context.ts";

/** What became of one node. */
export interface NodeOutcome {
  readonly node: OnnxNode;
  readonly origin: Origin;
  /** Version of the operators of its domain; nothing where the model does not say. */
  readonly opset: number | undefined;
  readonly inputs: readonly NodeInput[];
  /** One for each name in `node.outputs`. */
  readonly outputs: readonly (Operand | "unknown")[];
  /** Our operators that compute it; none where it is constant or not supported. */
  readonly steps: readonly Step[];
  readonly macs: number;
  /** Not set where the rule could not come to an end, because an input is not known. */
  readonly isJudged: boolean;
  /** Why it is not supported; none where it is, or where only what comes before it is not. */
  readonly problems: readonly Problem[];
}

/** What became of all nodes. */
export interface Walk {
  readonly inputs: readonly {
    readonly name: string;
    readonly operand: ComputedOperand | "unknown";
  }[];
  readonly outcomes: readonly NodeOutcome[];
  /** Every value of the model by name. */
  readonly operands: ReadonlyMap<string, Operand | "unknown">;
  /** What is wrong with the inputs. */
  readonly problems: readonly Problem[];
}

/** Applies the rules to all nodes, in order. Nothing is thrown: what cannot be done is a problem. */
export function walkModel(model: OnnxModel): Walk {
  const { graph } = model;
  const operands = new Map<string, Operand | "unknown">();
  const problems: Problem[] = [];
  for (const [name, { shape, dtype, data, elementType }] of graph.initializers) {
    const origin = { node: name, type: "Initializer" };
    const constant = { kind: "const", shape, dtype, data: { shape, dtype, data } } as const;
    operands.set(name, { ...constant, origin, name, elementType });
  }
  const inputs = graph.inputs.map((info) => {
    const found = inputProblems(info);
    problems.push(...found);
    const operand = found.length > 0 ? "unknown" : inputOperand(info);
    operands.set(info.name, operand);
    return { name: info.name, operand } as const;
  });
  const surroundings = { model, operands, used: usedNames(graph), guess: typeGuesser(model) };
  let spare = maxFoldedElements;
  const outcomes = graph.nodes.map((node) => {
    const outcome = applyRule(node, spare, surroundings);
    node.outputs.forEach((name, i) => {
      const made = outcome.outputs[i];
      if (name !== "") operands.set(name, made);
      if (typeof made === "object" && made.kind === "const") spare -= sizeOf(made.shape);
    });
    return outcome;
  });
  return { inputs, outcomes, operands, problems };
}

function inputOperand(info: OnnxValueInfo): ComputedOperand {
  return { ...computed(inputType(info)), elementType: info.elementType as ElementType };
}

const computed = (type: ArgType): ComputedOperand => ({ kind: "computed", ...type });

interface Surroundings {
  readonly model: OnnxModel;
  readonly operands: ReadonlyMap<string, Operand | "unknown">;
  /** Values that a node reads or that are outputs. */
  readonly used: ReadonlySet<string>;
  readonly guess: (name: string) => ArgType | undefined;
}

function usedNames({ nodes, outputs }: OnnxGraph): ReadonlySet<string> {
  return new Set([...nodes.flatMap((node) => node.inputs), ...outputs.map(({ name }) => name)]);
}

/** @param spare elements that its constants may have */
function applyRule(
  node: OnnxNode,
  spare: number,
  { model, operands, used, guess }: Surroundings,
): NodeOutcome {
  const origin = originOf(node);
  const opset = model.opsets.get(node.domain);
  const inputs = node.inputs.map((name) => (name === "" ? undefined : operands.get(name)));
  const unknown = node.outputs.map((name) => {
    const type = guess(name) ?? keptType(node, inputs);
    return type === undefined ? "unknown" : computed(type);
  });
  const nothing = {
    node,
    origin,
    opset,
    inputs,
    outputs: unknown,
    steps: [],
    macs: 0,
    isJudged: false,
  };
  const rule = ruleOf(node.domain, node.opType);
  const isLocal = model.localFunctions.includes(
    node.domain === "" ? node.opType : `${node.domain}:${node.opType}`,
  );
  if (rule === undefined || isLocal) {
    const { reason, hint } = refusalOf(node, networkOperators, isLocal);
    const at = originText(origin);
    return { ...nothing, problems: [{ code: "N2F_OP_UNSUPPORTED", message: reason, at, hint }] };
  }
  const [first] = inputs;
  if (floatOnly.test(node.opType) && typeof first === "object" && first.dtype !== "float") {
    const message = `it takes floating-point numbers, and its input is of type ${first.dtype}`;
    const hint = "Cast the input to float in the model.";
    const problem: Problem = { code: "N2F_ONNX_DTYPE", message, at: originText(origin), hint };
    return { ...nothing, problems: [problem] };
  }
  const context = new RuleContext(opset ?? 1, origin, spare);
  try {
    const made = rule.import(new NodeView(node, inputs), context);
    const results = Array.isArray(made) ? (made as readonly Operand[]) : [made as Operand];
    const outputs = node.outputs.map((name, i): Operand | "unknown" => {
      const result = results.at(i);
      if (result === undefined) {
        if (used.has(name)) refuseOutput(name);
        return "unknown";
      }
      // A constant that was made here gets the name that the model has for it.
      const isOwn = result.kind === "const" && !inputs.includes(result);
      return isOwn ? { ...result, name } : result;
    });
    const { steps, macs } = context;
    return { node, origin, opset, inputs, outputs, steps, macs, isJudged: true, problems: [] };
  } catch (error) {
    if (error instanceof UnknownInput) return { ...nothing, problems: [] };
    if (isOutOfMemory(error)) {
      const message = "a tensor on the way to its result does not fit into memory";
      const hint = "Check the shapes, scales and sizes that the node is given.";
      const problem: Problem = { code: "N2F_ONNX_SHAPE", message, at: originText(origin), hint };
      return { ...nothing, problems: [problem] };
    }
    if (!(error instanceof Nn2fpgaError)) throw error;
    return { ...nothing, problems: error.problems.map((problem) => complete(problem, origin)) };
  }
}

/** Operators that the standard has for floating-point numbers alone, and that are made of several of ours. */
const floatOnly = /^(Attention|LSTM|GRU|RNN|LRN|\w*Normalization|Softmax|LogSoftmax|Hardmax)$/;

/** What typed arrays and lists say of lengths that they cannot have. */
function isOutOfMemory(error: unknown): boolean {
  return error instanceof RangeError && /array length|allocation failed/i.test(error.message);
}

/** Quantizers round their first input, whatever else is refused about them: its shape stays. */
function keptType({ opType }: OnnxNode, [x]: readonly NodeInput[]): ArgType | undefined {
  const isQuantizer = /^(\w*Quant|Trunc|MultiThreshold|(Dynamic)?QuantizeLinear)$/.test(opType);
  return isQuantizer && typeof x === "object" ? { shape: x.shape, dtype: x.dtype } : undefined;
}

function refuseOutput(name: string): never {
  return unsupported(
    `its further output ${name} is in use`,
    "Only the first output is computed: export the network in evaluation mode, and leave the others out.",
  );
}

/** In domains other than the standard's the operator is named with its domain. */
function originOf({ name, domain, opType, outputs }: OnnxNode): Origin {
  const node = name || (outputs.find((output) => output !== "") ?? "");
  return { node, type: domain === "" ? opType : `${domain}.${opType}` };
}

/** Every problem says where it is and what to do. */
function complete(problem: Problem, origin: Origin): Problem {
  return {
    at: originText(origin),
    hint: "The model contradicts itself here; check it with onnx.checker.check_model(model, full_check=True).",
    ...problem,
  };
}

/** An axis of unknown extent in front is the batch. */
function inputType({ elementType, shape }: OnnxValueInfo): ArgType {
  const extents = (shape ?? []).map((dim) => (typeof dim === "number" ? dim : 1));
  return { shape: extents, dtype: elementTypes[elementType as ElementType].dtype };
}

function inputProblems({ name, elementType, shape }: OnnxValueInfo): Problem[] {
  const at = `${name} (Input)`;
  const problems: Problem[] = [];
  if (!(elementType in elementTypes)) {
    problems.push({
      code: "N2F_ONNX_DTYPE",
      message: `the elements of the input are of type ${elementType}`,
      at,
      hint: "Kernels take float, integer and bool tensors; leave the conversion to the host.",
    });
  }
  if (shape === null) {
    problems.push({
      code: "N2F_ONNX_SHAPE",
      message: "the shape of the input is not known",
      at,
      hint: "Export the model with the shapes of its inputs.",
    });
  }
  const known = (shape ?? []).map((dim) => (typeof dim === "number" ? dim : 1));
  if (sizeOf(known) > maxElements) {
    problems.push({
      code: "N2F_ONNX_SHAPE",
      message: `an input of shape ${shapeText(known)} is too large`,
      at,
      hint: `An input has up to ${maxElements} elements; check its shape.`,
    });
  }
  shape?.forEach((dim, axis) => {
    if (typeof dim === "number" || axis === 0) return;
    problems.push({
      code: "N2F_ONNX_SHAPE",
      message: `axis ${axis} of the input has ${dim === null ? "an unknown extent" : `the symbolic extent ${dim}`}`,
      at,
      hint:
        dim === null
          ? "Fix it: python -m onnxruntime.tools.make_dynamic_shape_fixed --input_name NAME --input_shape 1,..."
          : `Fix it: python -m onnxruntime.tools.make_dynamic_shape_fixed --dim_param ${dim} --dim_value N`,
    });
  });
  return problems;
}

/**
 * The types that the file notes, for results of nodes that are not supported: so the rest can still be
 * judged. Axes named like the batch of an input are 1; other symbols say nothing.
 */
function typeGuesser({ graph }: OnnxModel): (name: string) => ArgType | undefined {
  const noted = new Map(graph.valueInfo);
  for (const output of graph.outputs) if (!noted.has(output.name)) noted.set(output.name, output);
  const batches = new Set(graph.inputs.map(({ shape }) => shape?.[0]));
  return (name) => {
    const info = noted.get(name);
    if (info === undefined || !(info.elementType in elementTypes)) return undefined;
    const shape: Shape | undefined = info.shape?.map((dim, axis) =>
      typeof dim === "string" && axis === 0 && batches.has(dim) ? 1 : Number(dim ?? Number.NaN),
    );
    return shape === undefined || !Number.isSafeInteger(sizeOf(shape))
      ? undefined
      : { shape, dtype: elementTypes[info.elementType as ElementType].dtype };
  };
}
