import {
  type Manifest,
  type PortTensor,
  packetBytes,
  packTensor,
  type StreamPort,
} from "../artifact/index.ts";
import { fail } from "../base/index.ts";
import { type Samples, sizeOf } from "../tensor/index.ts";

/** Packets as they follow one another in memory to packets padded to whole beats. */
export function padPackets(
  packets: Uint8Array,
  count: number,
  ports: readonly PortTensor[],
  { beats, beatBytes }: StreamPort,
): Uint8Array {
  const [from, to] = [packetBytes(ports), beats * beatBytes];
  if (from === to) return packets;
  const padded = new Uint8Array(count * to);
  for (let i = 0; i < count; i++) padded.set(packets.subarray(i * from, (i + 1) * from), i * to);
  return padded;
}

/** Padded packets back to packets that follow one another. */
export function trimPackets(
  padded: Uint8Array,
  count: number,
  ports: readonly PortTensor[],
  { beats, beatBytes }: StreamPort,
): Uint8Array {
  const [from, to] = [beats * beatBytes, packetBytes(ports)];
  if (from === to) return padded;
  const packets = new Uint8Array(count * to);
  for (let i = 0; i < count; i++) packets.set(padded.subarray(i * from, i * from + to), i * to);
  return packets;
}

/** @throws N2F_DATA_SHAPE where the bytes are not `count` packets */
export function checkPackets(manifest: Manifest, inputs: Uint8Array, count: number): void {
  const wanted = packetBytes(manifest.inputs) * count;
  if (inputs.length === wanted) return;
  fail(
    "N2F_DATA_SHAPE",
    `${inputs.length} bytes were given for ${count} inferences of ${wanted / Math.max(1, count)}`,
    {
      at: manifest.name,
    },
  );
}

/** Quantizes real inputs into packets, by the rule of the manifest. */
export function packSamples(
  samples: Samples,
  ports: readonly PortTensor[],
  count: number,
): Uint8Array {
  const stride = packetBytes(ports);
  const packets = new Uint8Array(stride * count);
  for (const port of ports) {
    const numbers = samples.data.get(port.name) as Float64Array;
    const size = sizeOf(port.shape);
    for (let i = 0; i < count; i++) {
      const at = i * stride + port.offsetBytes;
      packTensor(numbers.subarray(i * size, (i + 1) * size), port, packets, at);
    }
  }
  return packets;
}
