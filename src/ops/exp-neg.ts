import { defineTable } from "./family/table.ts";

/**
 * exp(-x) for x >= 0, which never exceeds 1: the exponential of softmax, whose argument is the distance
 * from the maximum. Below 2^-17 from 12 on.
 */
export const expNeg = defineTable({
  name: "exp_neg",
  summary: "exp(-x) for x from zero up.",
  float: (x) => Math.exp(-x),
  domain: () => [0, 12],
});
