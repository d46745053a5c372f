import { defineTable } from "./family/table.ts";

interface ReciprocalAttrs {
  /** Where the argument lies, known from what makes it. Infinite where nothing is known. */
  readonly min: number;
  readonly max: number;
  readonly [key: string]: number;
}

/**
 * 1 / x; at zero the greatest number of the result's format.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Reciprocal.html
 */
export const reciprocal = defineTable<ReciprocalAttrs>({
  name: "reciprocal",
  summary: "1 / x.",
  isSteep: true,
  float: (x) => 1 / x,
  domain: ({ min, max }) => [min, max],
});
