import { layOutPorts, type PortTensor } from "./artifact/index.ts";
import { type CodeScale, defaultOverflow, defaultRounding, type Precision } from "./fixed/index.ts";
import { getValue, inputsOf, quantOf } from "./ir/index.ts";
import type { QuantizedGraph } from "./quantize/index.ts";

/** How inputs and outputs of a quantized graph lie in packets. */
export function portsOf({ graph, inputs, inputScales, outputScales }: QuantizedGraph): {
  inputs: PortTensor[];
  outputs: PortTensor[];
} {
  return {
    inputs: layOutPorts(
      inputsOf(graph).map(({ id, shape, dtype }) => ({
        name: id,
        shape,
        dtype,
        precision: inputs.get(id) as Precision,
        ...codesOf(inputScales.get(id)),
      })),
    ),
    outputs: layOutPorts(
      graph.outputs.map(({ name, value: id }) => {
        const value = getValue(graph, id);
        const { shape, dtype } = value;
        const { format } = quantOf(value);
        const precision = { format, rounding: defaultRounding, overflow: defaultOverflow };
        return { name, shape, dtype, precision, ...codesOf(outputScales.get(name)) };
      }),
    ),
  };
}

const codesOf = (codes: CodeScale | undefined) => codes && { codes };
