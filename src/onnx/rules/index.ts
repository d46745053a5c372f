import { activationRules } from "./activation.ts";
import { constantRules } from "./constant.ts";
import { convRules } from "./conv.ts";
import { elementwiseRules } from "./elementwise.ts";
import { inferenceRules } from "./inference.ts";
import { layoutRules } from "./layout.ts";
import { matmulRules } from "./matmul.ts";
import { padRules } from "./pad.ts";
import { poolRules } from "./pool.ts";
import { reduceRules } from "./reduce.ts";
import type { Rule } from "./rule.ts";
import { selectRules } from "./select.ts";
import { shapeArithmeticRules } from "./shape-arithmetic.ts";
import { typeRules } from "./type.ts";

/** Operators that a network may be written with. */
const networkRules: readonly Rule[] = [
  ...activationRules,
  ...convRules,
  ...elementwiseRules,
  ...inferenceRules,
  ...layoutRules,
  ...matmulRules,
  ...padRules,
  ...poolRules,
  ...reduceRules,
  ...selectRules,
  ...typeRules,
];

/** Every operator of ONNX that is read. */
export const rules: readonly Rule[] = [...networkRules, ...constantRules, ...shapeArithmeticRules];

/** For hints: what may stand in place of an operator that is not read. */
export const networkOperators: readonly string[] = networkRules.map(({ op }) => op).sort();

const table: ReadonlyMap<string, Rule> = new Map(
  rules.map((rule) => [`${rule.domain}:${rule.op}`, rule]),
);

export function ruleOf(domain: string, op: string): Rule | undefined {
  return table.get(`${domain}:${op}`);
}
