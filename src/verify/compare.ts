import { type PortTensor, packetBytes } from "../artifact/index.ts";
import { unpackCodes } from "../fixed/index.ts";

/** The first number in which two back ends differ. */
export interface Difference {
  readonly inference: number;
  readonly output: string;
  readonly element: number;
  readonly expected: string;
  readonly actual: string;
}

export interface Comparison {
  readonly samples: number;
  /** Numbers that differ in any bit. */
  readonly mismatches: number;
  readonly first?: Difference;
}

/** Compares packets of codes, bit for bit. */
export function comparePackets(
  ports: readonly PortTensor[],
  expected: Uint8Array,
  actual: Uint8Array,
  count: number,
): Comparison {
  const stride = packetBytes(ports);
  let mismatches = 0;
  let first: Difference | undefined;
  for (let inference = 0; inference < count; inference++) {
    const start = inference * stride;
    const [a, b] = [expected, actual].map((all) => all.subarray(start, start + stride));
    if (Buffer.compare(a, b) === 0) continue;
    for (const port of ports) {
      const elements = port.sizeBytes / port.elementBytes;
      const [want, got] = [a, b].map((bytes) =>
        bytes.length === stride ? unpackCodes(bytes, port.offsetBytes, elements, port) : [],
      );
      want.forEach((code, element) => {
        if (code === got[element]) return;
        mismatches++;
        first ??= {
          inference,
          output: port.name,
          element,
          expected: String(code),
          actual: got[element] === undefined ? "nothing" : String(got[element]),
        };
      });
    }
  }
  return { samples: count, mismatches, ...(first && { first }) };
}
