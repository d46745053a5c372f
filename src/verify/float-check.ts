import { type PortTensor, packetBytes, unpackTensor } from "../artifact/index.ts";
import { codeToReal } from "../fixed/index.ts";
import { type Graph, quantOf, type Registry } from "../ir/index.ts";
import { makeTensor, type Samples, sameShape, sizeOf, type Tensor } from "../tensor/index.ts";
import { type FloatError, FloatErrorMeter } from "./float-error.ts";
import { oracleCodes } from "./golden.ts";

/** Something that computes the float network: ONNX Runtime, or the graph's own float meaning. */
export interface FloatReference {
  /** As reports name it. */
  readonly name: string;
  run(
    inputs: ReadonlyMap<string, Tensor>,
    wanted: readonly string[],
  ): Promise<ReadonlyMap<string, Tensor>>;
}

/** Error of one value inside the network. */
export interface LayerError extends Omit<FloatError, "argmaxAgreement"> {
  readonly name: string;
  readonly node: string;
}

export interface FloatCheck extends FloatError {
  readonly reference: string;
  readonly layers: readonly LayerError[];
}

export interface FloatCheckInput {
  readonly graph: Graph;
  readonly ops: Registry;
  readonly inputs: readonly PortTensor[];
  readonly outputs: readonly PortTensor[];
  readonly samples: Samples;
  /** Packets of the samples, and what the emulator made of them. */
  readonly packets: Uint8Array;
  readonly answers: Uint8Array;
  /** Inferences on which inner values are compared; the oracle computes those. */
  readonly layerSamples: number;
}

/** Compares the quantized network with the float one: outputs on all samples, inner values on some. */
export async function checkFloat(
  reference: FloatReference,
  input: FloatCheckInput,
): Promise<FloatCheck> {
  const { graph, ops, inputs, outputs, samples, packets, answers, layerSamples } = input;
  const stride = packetBytes(outputs);
  const meter = new FloatErrorMeter();
  const names = outputs.map(({ name }) => name);
  // Integers of a quantized model have left their scales behind: they are not the float network's numbers.
  const inner = [...graph.values.values()].filter(
    (value) => value.kind === "op" && value.dtype === "float" && !names.includes(value.id),
  );
  const layerMeters = new Map<string, FloatErrorMeter>();
  for (let i = 0; i < samples.count; i++) {
    const withLayers = i < layerSamples;
    const wanted = withLayers ? [...names, ...inner.map(({ id }) => id)] : names;
    const expected = await reference.run(feedOf(inputs, samples, i), wanted);
    for (const port of outputs) {
      const actual = unpackTensor(answers, i * stride + port.offsetBytes, port);
      meter.add(actual, expected.get(port.name)?.data ?? []);
    }
    if (!withLayers) continue;
    const codes = oracleCodes(graph, ops, packets, i, inputs);
    for (const value of inner) {
      const real = expected.get(value.id);
      // Another layout than the model's has no element to compare with.
      if (real === undefined || !sameShape(real.shape, value.shape)) continue;
      const { format } = quantOf(value);
      const actual = (codes.get(value.id) ?? []).map((code) => codeToReal(code, format));
      const layer = layerMeters.get(value.id) ?? new FloatErrorMeter();
      layer.add(actual, real.data);
      layerMeters.set(value.id, layer);
    }
  }
  const layers = inner.flatMap(({ id, origin }): LayerError[] => {
    const layer = layerMeters.get(id);
    if (layer === undefined) return [];
    const { argmaxAgreement: _, ...error } = layer.result();
    return [{ name: id, node: origin.node, ...error }];
  });
  return { reference: reference.name, ...meter.result(), layers };
}

function feedOf(inputs: readonly PortTensor[], samples: Samples, at: number): Map<string, Tensor> {
  return new Map(
    inputs.map(({ name, shape }) => {
      const size = sizeOf(shape);
      const all = samples.data.get(name) as Float64Array;
      return [name, makeTensor(shape, all.slice(at * size, (at + 1) * size))];
    }),
  );
}
