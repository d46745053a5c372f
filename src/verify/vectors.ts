import { type PortTensor, packetBytes } from "../artifact/index.ts";
import { Random } from "../base/index.ts";
import { maxCode, minCode, packCodes } from "../fixed/index.ts";
import { sizeOf } from "../tensor/index.ts";

/** Packets to compare back ends on, and how many of each kind there are. */
export interface TestVectors {
  readonly count: number;
  readonly packets: Uint8Array;
  readonly kinds: Readonly<Record<"golden" | "samples" | "corner" | "random", number>>;
}

/** Elements that get a one-hot corner of their own, at most. */
const oneHotLimit = 128;

/**
 * Golden vectors, real samples, corners (all least, all greatest, all zero, one element at its greatest and
 * the rest at zero) and codes at random from the whole of every format, until there are at least
 * `wanted`.
 */
export function makeVectors(
  ports: readonly PortTensor[],
  golden: Uint8Array,
  samples: Uint8Array,
  wanted: number,
  seed: number,
): TestVectors {
  const stride = packetBytes(ports);
  const corners = cornerPackets(ports);
  const known = (golden.length + samples.length + corners.length) / stride;
  const random = randomPackets(ports, Math.max(Math.ceil(wanted / 4), wanted - known), seed);
  const packets = Buffer.concat([golden, samples, corners, random]);
  return {
    count: packets.length / stride,
    packets: new Uint8Array(packets.buffer, packets.byteOffset, packets.length),
    kinds: {
      golden: golden.length / stride,
      samples: samples.length / stride,
      corner: corners.length / stride,
      random: random.length / stride,
    },
  };
}

function packet(
  ports: readonly PortTensor[],
  code: (port: PortTensor, element: number) => bigint,
): Uint8Array {
  const bytes = new Uint8Array(packetBytes(ports));
  let element = 0;
  for (const port of ports) {
    const codes = Array.from({ length: sizeOf(port.shape) }, () => code(port, element++));
    packCodes(codes, port, bytes, port.offsetBytes);
  }
  return bytes;
}

function cornerPackets(ports: readonly PortTensor[]): Uint8Array {
  const elements = ports.reduce((sum, port) => sum + sizeOf(port.shape), 0);
  const step = Math.ceil(elements / oneHotLimit);
  const corners = [
    packet(ports, ({ format }) => minCode(format)),
    packet(ports, ({ format }) => maxCode(format)),
    packet(ports, () => 0n),
  ];
  for (let hot = 0; hot < elements; hot += step) {
    corners.push(packet(ports, ({ format }, element) => (element === hot ? maxCode(format) : 0n)));
  }
  return new Uint8Array(Buffer.concat(corners));
}

function randomPackets(ports: readonly PortTensor[], count: number, seed: number): Uint8Array {
  const random = new Random(seed);
  const packets = Array.from({ length: count }, () =>
    packet(ports, ({ format }) => random.bigintBetween(minCode(format), maxCode(format))),
  );
  return new Uint8Array(Buffer.concat(packets));
}
