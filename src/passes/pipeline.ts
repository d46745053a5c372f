import { assertGraph, type Graph, type Registry } from "../ir/index.ts";
import { constantsRight } from "./constants-right.ts";
import { decompose } from "./decompose.ts";
import { flatTransposes } from "./flat-transposes.ts";
import { foldBias } from "./fold-bias.ts";
import { foldConstants } from "./fold-constants.ts";
import { foldInputAffine } from "./fold-input-affine.ts";
import { foldScale } from "./fold-scale.ts";
import { hoistTransposes } from "./hoist-transposes.ts";
import { integerSoftmax } from "./integer-softmax.ts";
import { mergeAffine } from "./merge-affine.ts";
import type { Pass } from "./pass.ts";
import { sinkScales } from "./sink-scales.ts";
import { sinkTransposes } from "./sink-transposes.ts";
import { tabulate } from "./tabulate.ts";
import { tabulateFunctions } from "./tabulate-functions.ts";

/** The passes in their order, with the reason of each place. */
export const pipeline: readonly Pass[] = [
  tabulate, // first: float32 rounds each step of the model as it stands
  tabulateFunctions, // those that are left
  integerSoftmax, // before the scales go, and the softmax itself
  sinkScales, // before decompose: a division is exact as long as it is one
  decompose, // the rest speaks of primitive operators only
  constantsRight, // the folds look for weights on the right
  foldConstants, // transposed weights, scaled biases, 1/c
  sinkTransposes, // channels come last inside: what the import put around windows cancels
  hoistTransposes, // what did not goes to the inputs, out of the way of the folds
  flatTransposes,
  foldConstants, // constants that were transposed along
  sinkScales, // before the folds, which would mix scales into weights
  mergeAffine, // one constant is easier to fold than two
  foldBias, // before scale: a product's bias is scaled along with its weights
  foldScale, // before quantization: scales would otherwise be rounded twice
  foldBias, // the shift of a BatchNormalization whose scale is now gone
  foldInputAffine, // a normalization of the inputs, or of a layer before
  foldInputAffine, // its other half: (x - mean) * scale is two steps
  foldConstants,
];

export interface RunOptions {
  /** Called with the graph after each pass. */
  readonly after?: (pass: Pass, graph: Graph) => void;
}

/** Runs all passes; each result is verified, so that a faulty pass is named. */
export function runPasses(graph: Graph, ops: Registry, options: RunOptions = {}): Graph {
  let current = graph;
  for (const pass of pipeline) {
    current = assertGraph(pass.run(current, ops), ops, pass.name);
    options.after?.(pass, current);
  }
  return current;
}
