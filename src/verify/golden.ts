import { type PortTensor, packetBytes } from "../artifact/index.ts";
import { packCodes, unpackCodes } from "../fixed/index.ts";
import { evaluateFixed, type Graph, type Registry, type ValueId, valueId } from "../ir/index.ts";
import { sizeOf } from "../tensor/index.ts";

/** Packets that go in and the packets that must come out. */
export interface Vectors {
  readonly count: number;
  readonly inputs: Uint8Array;
  readonly outputs: Uint8Array;
}

/** The codes of one packet, by the port's name. */
export function packetCodes(
  packets: Uint8Array,
  at: number,
  ports: readonly PortTensor[],
): Map<ValueId, bigint[]> {
  const start = at * packetBytes(ports);
  return new Map(
    ports.map((port) => [
      valueId(port.name),
      unpackCodes(packets, start + port.offsetBytes, sizeOf(port.shape), port),
    ]),
  );
}

/** All codes of one inference, by the oracle. */
export function oracleCodes(
  graph: Graph,
  ops: Registry,
  packets: Uint8Array,
  at: number,
  inputs: readonly PortTensor[],
): Map<ValueId, readonly bigint[]> {
  return evaluateFixed(graph, ops, packetCodes(packets, at, inputs));
}

/** The oracle's answer to some packets: exact and slow. */
export function oraclePackets(
  graph: Graph,
  ops: Registry,
  packets: Uint8Array,
  count: number,
  inputs: readonly PortTensor[],
  outputs: readonly PortTensor[],
): Uint8Array {
  const stride = packetBytes(outputs);
  const answers = new Uint8Array(stride * count);
  for (let i = 0; i < count; i++) {
    const codes = oracleCodes(graph, ops, packets, i, inputs);
    outputs.forEach((port, k) => {
      const value = codes.get(graph.outputs[k].value) as readonly bigint[];
      packCodes(value, port, answers, i * stride + port.offsetBytes);
    });
  }
  return answers;
}
