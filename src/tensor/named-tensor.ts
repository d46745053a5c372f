import type { ElementType } from "./element.ts";
import type { Tensor } from "./tensor.ts";

/** An array as a file holds it. */
export interface NamedTensor {
  /** Empty where the file holds one array only. */
  readonly name: string;
  readonly tensor: Tensor;
  readonly elementType: ElementType;
}
