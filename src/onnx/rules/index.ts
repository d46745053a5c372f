import { activationRules } from "./activation.ts";
import { attentionRules } from "./attention.ts";
import { constantRules } from "./constant.ts";
import { convRules } from "./conv.ts";
import { convTransposeRules } from "./conv-transpose.ts";
import { einsumRules } from "./einsum.ts";
import { elementwiseRules } from "./elementwise.ts";
import { extremeRules } from "./extremes.ts";
import { functionRules } from "./functions.ts";
import { inferenceRules } from "./inference.ts";
import { integerRules } from "./integer.ts";
import { layoutRules } from "./layout.ts";
import { logicRules } from "./logic.ts";
import { matmulRules } from "./matmul.ts";
import { microsoftRules } from "./microsoft.ts";
import { normalizationRules } from "./normalization.ts";
import { padRules } from "./pad.ts";
import { poolRules } from "./pool.ts";
import { qonnxRules } from "./qonnx.ts";
import { quantizedRules } from "./quantized.ts";
import { recurrentRules } from "./recurrent.ts";
import { reduceRules } from "./reduce.ts";
import { resizeRules } from "./resize.ts";
import { rotaryRules } from "./rotary.ts";
import type { Rule } from "./rule.ts";
import { scatterRules } from "./scatter.ts";
import { selectRules } from "./select.ts";
import { shapeArithmeticRules } from "./shape-arithmetic.ts";
import { structureRules } from "./structure.ts";
import { typeRules } from "./type.ts";

/** Operators that a network may be written with. */
const networkRules: readonly Rule[] = [
  ...activationRules,
  ...convRules,
  ...convTransposeRules,
  ...elementwiseRules,
  ...attentionRules,
  ...einsumRules,
  ...extremeRules,
  ...functionRules,
  ...inferenceRules,
  ...integerRules,
  ...layoutRules,
  ...logicRules,
  ...matmulRules,
  ...padRules,
  ...poolRules,
  ...normalizationRules,
  ...quantizedRules,
  ...recurrentRules,
  ...reduceRules,
  ...rotaryRules,
  ...scatterRules,
  ...resizeRules,
  ...selectRules,
  ...structureRules,
  ...typeRules,
];

/** Every operator of ONNX that is read. */
export const rules: readonly Rule[] = [
  ...networkRules,
  ...qonnxRules,
  ...microsoftRules,
  ...constantRules,
  ...shapeArithmeticRules,
];

/** For hints: what may stand in place of an operator that is not read. */
export const networkOperators: readonly string[] = networkRules.map(({ op }) => op).sort();

/** Operators outside the standard that quantized models are written with. */
export const quantizedOperators: readonly string[] = [
  ...new Set([...microsoftRules, ...qonnxRules].map(({ op }) => op)),
].sort();

const table: ReadonlyMap<string, Rule> = new Map(
  rules.map((rule) => [`${rule.domain}:${rule.op}`, rule]),
);

export function ruleOf(domain: string, op: string): Rule | undefined {
  return table.get(`${domain}:${op}`);
}
