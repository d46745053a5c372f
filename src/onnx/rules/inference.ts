import { makeTensor, sizeOf } from "../../tensor/index.ts";
import type { NodeView } from "./node-view.ts";
import { defineRule, type Rule, unsupported } from "./rule.ts";
import type { RuleContext } from "./rule-context.ts";

const trainingHint =
  "Export the network in evaluation mode: model.eval() before torch.onnx.export, or training=TrainingMode.EVAL.";

/** Before opset 7 `is_test` tells inference from training. */
function refuseOldTraining(node: NodeView, context: RuleContext): void {
  if (context.opset >= 7 || node.flag("is_test", false)) return;
  unsupported(`${node.opType} is in training mode (is_test = 0)`, trainingHint);
}

const batchNormalization = defineRule({
  op: "BatchNormalization",
  import: (node, context) => {
    refuseOldTraining(node, context);
    if (node.flag("training_mode", false)) {
      unsupported("BatchNormalization is in training mode (training_mode = 1)", trainingHint);
    }
    if (!node.flag("spatial", true)) {
      unsupported(
        "each position has statistics of its own (spatial = 0)",
        "Replace the layer by a Mul and an Add with constants.",
      );
    }
    const epsilon = node.float("epsilon", Math.fround(1e-5));
    const names = ["the scale", "the shift", "the mean", "the variance"];
    names.forEach((name, i) => {
      node.constant(i + 1, name);
    });
    const args = [0, 1, 2, 3, 4].map((index) => node.input(index));
    return context.apply("batch_norm", args, { epsilon });
  },
});

/** In evaluation nothing is dropped: the value itself, and a mask that keeps all. */
const dropout = defineRule({
  op: "Dropout",
  import: (node, context) => {
    refuseOldTraining(node, context);
    const x = node.input(0);
    if (context.opset >= 12) {
      const isTraining = node.optionalConstant(2, "the training mode")?.data[0] ?? 0;
      const ratio = node.optionalConstant(1, "the ratio")?.data[0] ?? 0.5;
      if (isTraining !== 0 && ratio !== 0)
        unsupported("Dropout is in training mode (its third input is true)", trainingHint);
    }
    const y = context.apply("identity", [x]);
    if (!node.hasOutput(1)) return y;
    const ones = new Float64Array(sizeOf(x.shape)).fill(1);
    const dtype = context.opset < 10 ? x.dtype : "bool";
    return [y, context.constant(makeTensor(x.shape, ones, dtype), "mask")];
  },
});

export const inferenceRules: readonly Rule[] = [batchNormalization, dropout];
