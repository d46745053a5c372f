import onnxProto from "onnx-proto";
import { dataTypeCodes } from "../data-type.ts";
import { type ElementType, encodeElements } from "../element.ts";
import type { NamedTensor } from "../named-tensor.ts";
import { decodeTensorProto, tensorWireSchema } from "../proto.ts";
import type { Tensor } from "../tensor.ts";
import { wireFault } from "../wire.ts";
import { type Damaged, refuseMisfit } from "./damaged.ts";

const { TensorProto } = onnxProto.onnx;

/**
 * Reads one ONNX TensorProto, the format of `test_data_set_0/input_0.pb`. The name inside is
 * dropped: such files are taken by their place.
 */
export function readPb(bytes: Uint8Array, at: string, refuse: Damaged): NamedTensor {
  const fault = wireFault(bytes, tensorWireSchema, "Tensor");
  if (fault !== undefined) refuse(`this is not an ONNX TensorProto: ${fault}`);
  const proto = TensorProto.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return { ...decodeTensorProto(proto, { at, kind: "data" }), name: "" };
}

export function writePb(tensor: Tensor, elementType: ElementType, refuse: Damaged): Uint8Array {
  const rawData = encodeElements(tensor.data, elementType, refuseMisfit(elementType, refuse));
  const dims = [...tensor.shape];
  return TensorProto.encode({ dims, dataType: dataTypeCodes[elementType], rawData }).finish();
}
