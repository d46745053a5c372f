import { type Manifest, packetBytes } from "../artifact/index.ts";
import { packReals, unpackReals } from "../fixed/index.ts";
import {
  batchShape,
  type ElementType,
  makeTensor,
  type NamedTensor,
  type Samples,
  sizeOf,
} from "../tensor/index.ts";
import type { Kernel } from "./device.ts";

/**
 * Runs real numbers through a kernel: quantizes them by the rule of the manifest, and gives real numbers
 * back. Integers that mean themselves (class indices) stay integers.
 */
export async function predict(
  kernel: Kernel,
  manifest: Manifest,
  samples: Samples,
): Promise<NamedTensor[]> {
  const { count } = samples;
  const inBytes = packetBytes(manifest.inputs);
  const packets = new Uint8Array(inBytes * count);
  for (const port of manifest.inputs) {
    const numbers = samples.data.get(port.name) as Float64Array;
    const size = sizeOf(port.shape);
    for (let i = 0; i < count; i++) {
      packReals(
        numbers.subarray(i * size, (i + 1) * size),
        port,
        packets,
        i * inBytes + port.offsetBytes,
      );
    }
  }
  const answers = await kernel.run(packets, count);
  const outBytes = packetBytes(manifest.outputs);
  return manifest.outputs.map((port) => {
    const size = sizeOf(port.shape);
    const data = new Float64Array(size * count);
    for (let i = 0; i < count; i++) {
      data.set(unpackReals(answers, i * outBytes + port.offsetBytes, size, port), i * size);
    }
    const elementType: ElementType =
      port.meaning === "integer" ? "int64" : port.format.width > 24 ? "float64" : "float32";
    return {
      name: port.name,
      tensor: makeTensor(batchShape(count, port.shape), data),
      elementType,
    };
  });
}
