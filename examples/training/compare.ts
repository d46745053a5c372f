import { InferenceSession, Tensor } from "onnxruntime-node";
import type { Table } from "./table.ts";

/** Largest difference between ONNX Runtime's answers to some rows and the answers expected. */
export async function compareWithRuntime(
  model: Uint8Array,
  features: Table,
  expected: Table,
): Promise<number> {
  const session = await InferenceSession.create(model);
  const input = new Tensor("float32", features.values, [features.rows, features.columns]);
  const outputs = await session.run({ [session.inputNames[0]]: input });
  const answers = outputs[session.outputNames[0]].data as Float32Array;
  if (answers.length !== expected.values.length) {
    throw new Error(`${answers.length} answers where ${expected.values.length} were expected`);
  }
  return expected.values.reduce((worst, x, i) => Math.max(worst, Math.abs(x - answers[i])), 0);
}
