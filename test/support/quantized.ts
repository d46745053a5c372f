import { type PortTensor, packetBytes } from "../../src/artifact/index.ts";
import { emitEmulator } from "../../src/emit/emulator/index.ts";
import { unpackCodes, unpackReals } from "../../src/fixed/index.ts";
import { importModel, type OnnxModel } from "../../src/onnx/index.ts";
import { ops } from "../../src/ops/index.ts";
import { runPasses } from "../../src/passes/index.ts";
import { portsOf } from "../../src/ports-of.ts";
import {
  defaultQuantizeOptions,
  feedOf,
  gatherStatistics,
  type QuantizeOptions,
  quantizeGraph,
} from "../../src/quantize/index.ts";
import { instantiateEmulator, packSamples } from "../../src/runtime/index.ts";
import { type Samples, sizeOf } from "../../src/tensor/index.ts";

/** What the emulator gives for one output. */
export interface EmulatedOutput {
  readonly port: PortTensor;
  /** All inferences, one after the other. */
  readonly codes: readonly number[];
  readonly reals: readonly number[];
}

/** Runs a model's kernel in the emulator, calibrated on the same data. */
export function emulateModel(
  model: OnnxModel,
  samples: Samples,
  options: QuantizeOptions = defaultQuantizeOptions,
): EmulatedOutput[] {
  const graph = runPasses(importModel(model), ops);
  const feeds = Array.from({ length: Math.min(samples.count, 4) }, (_, i) =>
    feedOf(graph, samples, i),
  );
  const statistics = gatherStatistics(graph, ops, feeds);
  const quantized = quantizeGraph(graph, ops, statistics, options);
  const ports = portsOf(quantized);
  const module = emitEmulator(quantized.graph, ops, ports.inputs, ports.outputs);
  const packets = packSamples(samples, ports.inputs, samples.count);
  const answers = instantiateEmulator("quantized", module, ports).run(packets, samples.count);
  const stride = packetBytes(ports.outputs);
  return ports.outputs.map((port) => {
    const size = sizeOf(port.shape);
    const rows = Array.from({ length: samples.count }, (_, i) => i * stride + port.offsetBytes);
    return {
      port,
      codes: rows.flatMap((at) => unpackCodes(answers, at, size, port).map(Number)),
      reals: rows.flatMap((at) => Array.from(unpackReals(answers, at, size, port))),
    };
  });
}
