import {
  type CodeScale,
  containerBytes,
  type Precision,
  packReals,
  unpackReals,
} from "../fixed/index.ts";
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

/**
 * For each element of a packet, the element of the user's tensor (row-major) that stands there; nothing
 * where packets have the tensor as it is.
 */
function packetOrder({
  shape,
  order,
}: Pick<PortTensor, "shape" | "order">): Int32Array | undefined {
  if (order === undefined) return undefined;
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--)
    strides[axis] = strides[axis + 1] * shape[axis + 1];
  let map = Int32Array.of(0);
  for (const axis of order) {
    const next = new Int32Array(map.length * shape[axis]);
    for (let i = 0, at = 0; i < map.length; i++)
      for (let k = 0; k < shape[axis]; k++) next[at++] = map[i] + k * strides[axis];
    map = next;
  }
  return map;
}

const orders = new WeakMap<object, Int32Array | undefined>();

function orderOf(port: PortTensor): Int32Array | undefined {
  if (port.order === undefined) return undefined;
  if (!orders.has(port)) orders.set(port, packetOrder(port));
  return orders.get(port);
}

/** Real numbers of one tensor, row-major as the user has it, to their place in a packet. */
export function packTensor(
  values: ArrayLike<number>,
  port: PortTensor,
  into: Uint8Array,
  at: number,
): void {
  const order = orderOf(port);
  const ordered = order === undefined ? values : Float64Array.from(order, (i) => values[i]);
  packReals(ordered, port, into, at);
}

/** The real numbers of one tensor of a packet, row-major as the user has it. */
export function unpackTensor(from: Uint8Array, at: number, port: PortTensor): Float64Array {
  const packed = unpackReals(from, at, sizeOf(port.shape), port);
  const order = orderOf(port);
  if (order === undefined) return packed;
  const reals = new Float64Array(packed.length);
  order.forEach((element, i) => {
    reals[element] = packed[i];
  });
  return reals;
}
