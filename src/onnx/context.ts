import type { onnx } from "onnx-proto";
import { fail } from "../base/index.ts";
import {
  decodeTensorProto,
  exactBigInt,
  exactNumber,
  externalData,
  type Int64,
  makeTensor,
  maxElements,
  maxRank,
  quote,
  sizeOf,
  standInForLimit,
  type TensorSource,
} from "../tensor/index.ts";
import type { OnnxTensor } from "./model.ts";

/** Elements that all sparse tensors of a model may become: their files stay small. */
const maxSparseElements = 2 ** 26;

/** What the parts of one model share while it is read. */
export class ReadContext {
  readonly path: string;
  readonly #source: TensorSource;
  /** Whether a tensor's numbers stand in another file. */
  hasExternalData = false;
  #elements = 0;
  #sparseElements = 0;

  constructor(path: string) {
    this.path = path;
    const read = externalData(path);
    const external: typeof read = (reference) => {
      this.hasExternalData = true;
      return read(reference);
    };
    this.#source = { at: path, kind: "model", external };
  }

  /** @throws N2F_ONNX_CORRUPT, always */
  corrupt(what: string, hint?: string, cause?: unknown): never {
    fail("N2F_ONNX_CORRUPT", what, {
      at: this.path,
      hint: hint ?? "The file is damaged or was written by a faulty program; export it again.",
      cause,
    });
  }

  /** An attribute, dimension or version as a number; see `OnnxAttribute` for the limits of int64. */
  integer(value: Int64, what: string): number {
    const exact = exactNumber(value);
    if (exact !== undefined) return exact;
    const wide = exactBigInt(value);
    return (
      standInForLimit(wide) ??
      this.corrupt(
        `${what} is ${wide}, which is beyond 2^53 and would lose digits`,
        "Use an integer between -(2^53 - 1) and 2^53 - 1.",
      )
    );
  }

  tensor(proto: onnx.ITensorProto): OnnxTensor {
    const { tensor, elementType } = decodeTensorProto(proto, this.#source);
    this.#elements += sizeOf(tensor.shape);
    if (this.#elements > maxElements) {
      this.corrupt(
        `the constants have more than ${maxElements} elements`,
        "A network of this size does not fit any device.",
      );
    }
    return { ...tensor, elementType };
  }

  /**
   * A sparse tensor, filled up with zeros. Its indices count elements in row-major order, or have a
   * row for each value with one index per axis.
   * @see https://github.com/onnx/onnx/blob/v1.22.0/onnx/onnx.proto (SparseTensorProto)
   */
  sparseTensor(proto: onnx.ISparseTensorProto): OnnxTensor {
    const label = `sparse tensor ${quote(proto.values?.name ?? "")}`;
    const dims = proto.dims ?? [];
    if (dims.length > maxRank) this.corrupt(`${label} has ${dims.length} axes`);
    const shape = dims.map((dim) => this.integer(dim, `a dimension of ${label}`));
    const size = sizeOf(shape.map((extent) => Math.max(extent, 1)));
    this.#sparseElements += size;
    if (shape.some((extent) => extent < 0) || !(this.#sparseElements <= maxSparseElements)) {
      this.corrupt(
        `${label} of shape [${shape}] is not possible`,
        `Sparse tensors may have up to ${maxSparseElements} elements when filled up.`,
      );
    }
    if (!proto.values || !proto.indices) this.corrupt(`${label} has no values or no indices`);
    const values = this.tensor(proto.values);
    const indices = this.tensor(proto.indices);
    const count = values.data.length;
    const perValue = indices.shape.length === 2 ? shape.length : 1;
    if (values.shape.length !== 1 || indices.data.length !== count * perValue) {
      this.corrupt(`${label} has ${count} values and ${indices.data.length} indices`);
    }
    const extents = perValue === 1 ? [sizeOf(shape)] : shape;
    const data = new Float64Array(sizeOf(shape));
    for (let i = 0; i < count; i++) {
      let at = 0;
      for (let axis = 0; axis < perValue; axis++) {
        const index = indices.data[i * perValue + axis];
        if (!(index >= 0 && index < extents[axis])) {
          this.corrupt(`${label} of shape [${shape}] has the index ${index}`);
        }
        at = at * extents[axis] + index;
      }
      data[at] = values.data[i];
    }
    return { ...makeTensor(shape, data, values.dtype), elementType: values.elementType };
  }
}
