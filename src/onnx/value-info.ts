import type { onnx } from "onnx-proto";
import { dataTypeName, quote } from "../tensor/index.ts";
import type { ReadContext } from "./context.ts";
import type { OnnxDim, OnnxElementType, OnnxType, OnnxValueInfo } from "./model.ts";

export function readValueInfo(proto: onnx.IValueInfoProto, context: ReadContext): OnnxValueInfo {
  const name = proto.name ?? "";
  return { name, ...readType(proto.type, `value ${quote(name)}`, context) };
}

/** Of a sequence, map or optional value only this much is told. */
export function readType(
  proto: onnx.ITypeProto | null | undefined,
  label: string,
  context: ReadContext,
): OnnxType {
  if (proto?.tensorType) {
    const { elemType, shape } = proto.tensorType;
    return {
      elementType: elementTypeName(elemType ?? 0, label, context),
      shape: shape ? (shape.dim ?? []).map((dim) => readDim(dim, label, context)) : null,
    };
  }
  return { elementType: kindOf(proto), shape: null };
}

function elementTypeName(code: number, label: string, context: ReadContext): OnnxElementType {
  if (code === 0) return "unknown";
  return (
    dataTypeName(code) ??
    context.corrupt(`${label} has elements of the type number ${code}, which ONNX does not have`)
  );
}

function kindOf(proto: onnx.ITypeProto | null | undefined): OnnxElementType {
  if (proto?.sequenceType) return "sequence";
  if (proto?.mapType) return "map";
  if (proto?.optionalType) return "optional";
  return proto?.sparseTensorType ? "sparse" : "unknown";
}

/** Exporters write 0, -1 or "-1" where they do not know. */
function readDim(
  { dimParam, dimValue }: onnx.TensorShapeProto.IDimension,
  label: string,
  context: ReadContext,
): OnnxDim {
  if (dimParam) return /^-\d+$/.test(dimParam) ? null : dimParam;
  const value = context.integer(dimValue ?? 0, `a dimension of ${label}`);
  return value > 0 ? value : null;
}
