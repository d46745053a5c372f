import { type CodeScale, containerBytes, type Precision } from "../fixed/index.ts";
import { type DType, type Shape, sizeOf } from "../tensor/index.ts";
import type { ContainerType, PortTensor } from "./manifest.ts";

/** What a port must know of the tensor that it carries. */
export interface PortSource {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly precision: Precision;
  /** What the codes stand for, where a quantized model says it. */
  readonly codes?: CodeScale;
}

/** Lays tensors out in a packet, one after the other. */
export function layOutPorts(sources: readonly PortSource[]): PortTensor[] {
  let offsetBytes = 0;
  return sources.map(({ name, shape, dtype, precision, codes }) => {
    const { format, rounding, overflow } = precision;
    const elementBytes = containerBytes(format);
    const port: PortTensor = {
      name,
      shape,
      format,
      rounding,
      overflow,
      container: `${format.signed ? "" : "U"}INT${elementBytes * 8}` as ContainerType,
      elementBytes,
      offsetBytes,
      sizeBytes: elementBytes * sizeOf(shape),
      ...codes,
      meaning: dtype === "float" || codes !== undefined ? "real" : "integer",
    };
    offsetBytes += port.sizeBytes;
    return port;
  });
}
