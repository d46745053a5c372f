import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import onnxProto, { type onnx } from "onnx-proto";
import { casesFolder } from "../conformance/case.ts";

/** The tensors that a case gives for its first `count` inputs; nothing where there is no whole tensor. */
export function constantsFor(folder: string, count: number): (onnx.ITensorProto | undefined)[] {
  return Array.from({ length: count }, (_, i) => {
    const file = join(casesFolder as string, folder, "test_data_set_0", `input_${i}.pb`);
    if (!existsSync(file)) return undefined;
    try {
      return onnxProto.onnx.TensorProto.decode(readFileSync(file));
    } catch {
      return undefined; // sequences and optional values
    }
  });
}
