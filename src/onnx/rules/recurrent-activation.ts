import type { Formula } from "./formula.ts";
import type { NodeView } from "./node-view.ts";
import { type Operand, unsupported } from "./rule.ts";

export type Activation = (x: Operand) => Operand;

interface Known {
  /** What `alpha` and `beta` are where the model does not say. */
  readonly defaults: readonly [number, number];
  readonly apply: (f: Formula, x: Operand, alpha: number, beta: number) => Operand;
}

const clamp = { min: 0, max: 1 };

/** The functions that recurrent layers may name, in lower case. */
const known: ReadonlyMap<string, Known> = new Map<string, Known>([
  ["relu", { defaults: [0, 0], apply: (f, x) => f.apply("relu", x) }],
  ["tanh", { defaults: [0, 0], apply: (f, x) => f.apply("tanh", x) }],
  ["sigmoid", { defaults: [0, 0], apply: (f, x) => f.apply("sigmoid", x) }],
  ["affine", { defaults: [1, 0], apply: (f, x, a, b) => f.add(f.mul(x, a), b) }],
  [
    "leakyrelu",
    { defaults: [Math.fround(0.01), 0], apply: (f, x, a) => f.max(f.mul(f.min(x, 0), a), x) },
  ],
  ["thresholdedrelu", { defaults: [1, 0], apply: (f, x, a) => f.mask(x, f.greater(x, a)) }],
  [
    "scaledtanh",
    { defaults: [1, 1], apply: (f, x, a, b) => f.mul(f.apply("tanh", f.mul(x, b)), a) },
  ],
  [
    "hardsigmoid",
    {
      defaults: [Math.fround(0.2), 0.5],
      apply: (f, x, a, b) => f.apply("clip", f.add(f.mul(x, a), b), clamp),
    },
  ],
  ["elu", { defaults: [1, 0], apply: (f, x, a) => f.apply("elu", x, { alpha: a }) }],
  ["softsign", { defaults: [0, 0], apply: (f, x) => f.apply("softsign", x) }],
  ["softplus", { defaults: [0, 0], apply: (f, x) => f.apply("softplus", x) }],
]);

/**
 * The functions of one direction, in the order of the operator. The lists of alphas and betas have an entry
 * for each function that takes one.
 */
export function readActivations(
  f: Formula,
  node: NodeView,
  otherwise: readonly string[],
  direction: number,
): readonly Activation[] {
  const names = node.optionalStrings("activations") ?? [];
  const own = names.slice(direction * otherwise.length, (direction + 1) * otherwise.length);
  const listed = own.length === 0 ? otherwise : own;
  if (listed.length !== otherwise.length) {
    unsupported(
      `${names.length} activations are given`,
      `Give ${otherwise.length} for each direction.`,
    );
  }
  const alphas = node.optionalFloats("activation_alpha") ?? [];
  const betas = node.optionalFloats("activation_beta") ?? [];
  const at = direction * otherwise.length;
  return listed.map((name, i) => {
    const entry = known.get(name.toLowerCase());
    if (entry === undefined)
      return unsupported(`the activation ${name}`, `Use one of ${[...known.keys()].join(", ")}.`);
    const [alpha, beta] = entry.defaults;
    return (x) => entry.apply(f, x, alphas[at + i] ?? alpha, betas[at + i] ?? beta);
  });
}
