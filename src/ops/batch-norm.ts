import { fail } from "../base/index.ts";
import { defineComposite } from "../ir/index.ts";
import { makeTensor, sameShape, shapeText, type Tensor } from "../tensor/index.ts";

interface BatchNormAttrs {
  readonly epsilon: number;
  readonly [key: string]: number;
}

/** scale and shift so that y = x * scale + shift, for each channel. */
function affine([gamma, beta, mean, variance]: readonly Tensor[], epsilon: number) {
  const scale = gamma.data.map((g, c) => g / Math.sqrt(variance.data[c] + epsilon));
  const shift = beta.data.map((b, c) => b - mean.data[c] * scale[c]);
  return { scale, shift };
}

/**
 * (x - mean) / sqrt(variance + epsilon) * gamma + beta for each channel (axis 1), with constant
 * statistics. Becomes a product and a sum with constants, which further passes fold into weights.
 *
 * @see https://onnx.ai/onnx/operators/onnx__BatchNormalization.html
 */
export const batchNorm = defineComposite<BatchNormAttrs>({
  name: "batch_norm",
  summary: "Normalization by constant statistics of each channel.",
  madeOf: ["mul", "add"],
  type: ([{ shape, dtype }, ...parameters]) => {
    const channels = shape[1] ?? shape[0] ?? 1;
    const misfit = parameters.find((parameter) => !sameShape(parameter.shape, [channels]));
    if (misfit !== undefined) {
      fail(
        "N2F_OP_ATTRIBUTE",
        `statistics of shape ${shapeText(misfit.shape)} do not fit ${channels} channels`,
      );
    }
    return { shape, dtype };
  },
  float: ([x, ...parameters], { epsilon }) => {
    const { scale, shift } = affine(parameters, epsilon);
    const inner = x.shape.slice(2).reduce((a, b) => a * b, 1);
    const data = x.data.map((value, i) => {
      const channel = Math.floor(i / inner) % scale.length;
      return value * scale[channel] + shift[channel];
    });
    return { ...x, data };
  },
  decompose: (build, [x, ...ids], { epsilon }) => {
    const parameters = ids.map((id) => {
      const value = build.value(id);
      if (value.kind === "const") return value.data;
      return fail("N2F_OP_UNSUPPORTED", "the statistics are computed by the network", {
        hint: "Export the network in evaluation mode, so that they are constants.",
      });
    });
    const { scale, shift } = affine(parameters, epsilon);
    const { shape } = build.value(x);
    const perChannel =
      shape.length > 1 ? [scale.length, ...shape.slice(2).map(() => 1)] : [scale.length];
    const scaled = build.op("mul", [x, build.constant(makeTensor(perChannel, scale))]);
    return build.op("add", [scaled, build.constant(makeTensor(perChannel, shift))]);
  },
});
