import type { NetBuilder, Wire } from "../design/index.ts";
import { constantForm, rootForm } from "./linear-form.ts";
import type { SumPlan, VariableTerm } from "./shared-sums.ts";
import { addTerms, type FormTerm, sumForms, wireInterval } from "./sum.ts";

/**
 * Builds the additions of a plan on a vector of wires.
 *
 * @param bias one integer for each output, at the sums' binary point
 */
export function buildSums(
  build: NetBuilder,
  plan: SumPlan,
  inputs: readonly Wire[],
  bias: readonly bigint[],
): Wire[] {
  const intervalOf = (root: number) => wireInterval(build, inputs[root]);
  // Variable i as a term: what shifts and signs its additions left over go along with it.
  const variables: FormTerm[] = inputs.map((wire, i) => ({
    wire,
    shift: 0,
    sign: 1,
    form: rootForm(i),
  }));
  const scaled = ({ variable, shift, sign }: VariableTerm): FormTerm => {
    const term = variables[variable];
    return { ...term, shift: term.shift + shift, sign: (term.sign * sign) as 1 | -1 };
  };
  for (const { a, b, shift, sign } of plan.shared) {
    const first = scaled({ variable: a, shift: Math.max(0, -shift), sign: 1 });
    const second = scaled({ variable: b, shift: Math.max(0, shift), sign });
    const sum = addTerms(build, first, second, intervalOf);
    // A pair is counted from its first term, which may stand above the second.
    variables.push({ ...sum, shift: sum.shift - Math.max(0, -shift) });
  }
  return plan.outputs.map((terms, i) => {
    const parts = terms.map(scaled);
    if (bias[i] !== 0n) {
      const wire = build.constant(bias[i]);
      parts.push({ wire, shift: 0, sign: 1, form: constantForm(bias[i]) });
    }
    return sumForms(build, parts, intervalOf);
  });
}
