import { type PortTensor, packetBytes } from "../../../src/artifact/manifest.ts";
import type { EmulatorExports } from "../../../src/runtime/devices/emulator-instance.ts";
import { webAssembly } from "../../../src/runtime/devices/emulator-webassembly.ts";
import type { Network } from "./networks.ts";

/** An emulator module, called as a host would. */
export class Instance {
  readonly batch: number;
  readonly memoryBytes: number;
  readonly #exports: EmulatorExports;

  constructor(binary: Uint8Array) {
    const { exports } = new webAssembly.Instance(new webAssembly.Module(binary));
    this.#exports = exports as EmulatorExports;
    this.batch = this.#exports.batch.value;
    this.memoryBytes = this.#exports.memory.buffer.byteLength;
  }

  /** Runs packets, which may be at most `batch`. */
  run(packets: Uint8Array, count: number, outputBytes: number): Uint8Array {
    const { memory, input, output, run } = this.#exports;
    new Uint8Array(memory.buffer).set(packets, input.value >>> 0);
    run(count);
    const from = output.value >>> 0;
    return new Uint8Array(memory.buffer.slice(from, from + count * outputBytes));
  }
}

/** Outputs of the emulator for samples of inputs, every sample's tensors one after the other. */
export function emulate(
  network: Network,
  instance: Instance,
  samples: readonly (readonly (readonly bigint[])[])[],
): bigint[][] {
  const { inputs, outputs } = network.ports;
  const packets = encodePackets(inputs, samples);
  const bytes = instance.run(packets, samples.length, packetBytes(outputs));
  return samples.map((_, s) => decodePacket(outputs, bytes, s * packetBytes(outputs)));
}

export function encodePackets(
  ports: readonly PortTensor[],
  samples: readonly (readonly (readonly bigint[])[])[],
): Uint8Array {
  const packet = packetBytes(ports);
  const bytes = new Uint8Array(packet * samples.length);
  samples.forEach((sample, s) => {
    ports.forEach(({ offsetBytes, elementBytes }, p) => {
      sample[p].forEach((code, i) => {
        let rest = BigInt.asUintN(64, code);
        for (let b = 0; b < elementBytes; b++, rest >>= 8n) {
          bytes[s * packet + offsetBytes + i * elementBytes + b] = Number(rest & 255n);
        }
      });
    });
  });
  return bytes;
}

export function decodePacket(
  ports: readonly PortTensor[],
  bytes: Uint8Array,
  start: number,
): bigint[] {
  return ports.flatMap(({ offsetBytes, elementBytes, sizeBytes, format }) =>
    Array.from({ length: sizeBytes / elementBytes }, (_, i) => {
      let code = 0n;
      for (let b = elementBytes - 1; b >= 0; b--) {
        code = (code << 8n) | BigInt(bytes[start + offsetBytes + i * elementBytes + b]);
      }
      return format.signed ? BigInt.asIntN(8 * elementBytes, code) : code;
    }),
  );
}
