import { sizeOf } from "../../tensor/index.ts";
import { type Datatype, datatypeBytes } from "./datatype.ts";

/** One tensor of a model as requests carry it. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  /** Of one row: without the batch axis. -1 where any size may come. */
  readonly dims: readonly number[];
  /** Of one row; -1 where it differs from request to request. */
  readonly rowBytes: number;
  /** Names of the classes, where the model has them. */
  readonly labels?: readonly string[] | undefined;
}

/** What requests to a model must look like. */
export interface ModelSignature {
  readonly model: string;
  readonly version: string;
  /** Rows of a request, at most; 0 where shapes have no batch axis. */
  readonly maxBatchSize: number;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

export function tensorSpec(
  name: string,
  datatype: Datatype,
  dims: readonly number[],
  labels?: readonly string[],
): TensorSpec {
  const isFixed = datatype !== "BYTES" && dims.every((extent) => extent >= 0);
  const rowBytes = isFixed ? sizeOf(dims) * datatypeBytes[datatype] : -1;
  return { name, datatype, dims, rowBytes, ...(labels !== undefined && { labels }) };
}

/** Whether all tensors have a fixed size, so that rows of several requests can stand side by side. */
export function isFixedSize({ inputs, outputs }: ModelSignature): boolean {
  return [...inputs, ...outputs].every(({ rowBytes }) => rowBytes >= 0);
}
