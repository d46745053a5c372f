import { type Manifest, packetBytes, unpackTensor } from "../artifact/index.ts";
import {
  batchShape,
  type ElementType,
  makeTensor,
  type NamedTensor,
  type Samples,
  sizeOf,
} from "../tensor/index.ts";
import type { Kernel } from "./device.ts";
import { packSamples } from "./packets.ts";

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
  const packets = packSamples(samples, manifest.inputs, count);
  const answers = await kernel.run(packets, count);
  const outBytes = packetBytes(manifest.outputs);
  return manifest.outputs.map((port) => {
    const size = sizeOf(port.shape);
    const data = new Float64Array(size * count);
    for (let i = 0; i < count; i++) {
      data.set(unpackTensor(answers, i * outBytes + port.offsetBytes, port), i * size);
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
