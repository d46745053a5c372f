import { Nn2fpgaError } from "./base/index.ts";
import { evaluate, valueId } from "./ir/index.ts";
import { importModel, isForeignOperator, readModel } from "./onnx/index.ts";
import { ops } from "./ops/index.ts";
import { openOnnxRuntime } from "./tools/index.ts";
import type { FloatReference } from "./verify/index.ts";

/**
 * The float network of a model file: ONNX Runtime, or the graph's own float meaning where that package is
 * not installed.
 *
 * @param intermediates values that may be asked for besides the outputs
 */
export async function openFloatReference(
  modelPath: string,
  intermediates: readonly string[],
): Promise<FloatReference> {
  try {
    const session = await openOnnxRuntime(modelPath, intermediates);
    return { name: "onnxruntime", run: (inputs, wanted) => session.run(inputs, wanted) };
  } catch (error) {
    const code = error instanceof Nn2fpgaError ? error.problems[0]?.code : undefined;
    // ONNX Runtime knows nothing of QONNX; what it does know, it must be able to run.
    const model = code === undefined ? undefined : readModel(modelPath);
    const isForeign = model?.graph.nodes.some(({ domain, opType }) =>
      isForeignOperator(domain, opType),
    );
    if (code === "N2F_TOOL_MISSING") return ownReference(modelPath, "is not installed");
    if (code === "N2F_REFERENCE_FAILED" && isForeign)
      return ownReference(modelPath, "does not know the model's operators");
    throw error;
  }
}

function ownReference(modelPath: string, why: string): FloatReference {
  const graph = importModel(readModel(modelPath));
  return {
    name: `nn2fpga's own float evaluation (onnxruntime-node ${why})`,
    run: async (inputs, wanted) => {
      const known = new Map([...inputs].map(([name, tensor]) => [valueId(name), tensor]));
      const values = evaluate(graph, ops, known);
      const outputs = new Map(graph.outputs.map(({ name, value }) => [name, value]));
      return new Map(
        wanted.flatMap((name) => {
          const tensor = values.get(outputs.get(name) ?? valueId(name));
          return tensor === undefined ? [] : [[name, tensor] as const];
        }),
      );
    },
  };
}
