import {
  type Bundle,
  layOutPorts,
  type Manifest,
  manifestVersion,
  type PortTensor,
  packetBytes,
} from "../../src/artifact/index.ts";
import type { Random } from "../../src/base/index.ts";
import { addVerilog } from "../../src/compile.ts";
import type { Design } from "../../src/design/index.ts";
import { emitEmulator } from "../../src/emit/emulator/index.ts";
import { defaultOverflow, defaultRounding, packCodes, unpackCodes } from "../../src/fixed/index.ts";
import {
  evaluateFixed,
  type Graph,
  getValue,
  inputsOf,
  quantOf,
  type Value,
  type ValueId,
} from "../../src/ir/index.ts";
import { ops } from "../../src/ops/index.ts";
import { instantiateEmulator } from "../../src/runtime/index.ts";
import { type ScheduleOptions, scheduleParallel } from "../../src/schedule/index.ts";
import { sizeOf } from "../../src/tensor/index.ts";

/** Where the tensors of a quantized graph stand in packets. */
export interface Ports {
  readonly inputs: readonly PortTensor[];
  readonly outputs: readonly PortTensor[];
}

export function portsOf(graph: Graph): Ports {
  const port = (name: string, value: Value) => {
    const { format } = quantOf(value);
    const precision = { format, rounding: defaultRounding, overflow: defaultOverflow };
    return { name, shape: value.shape, dtype: value.dtype, precision };
  };
  return {
    inputs: layOutPorts(inputsOf(graph).map((value) => port(value.id, value))),
    outputs: layOutPorts(graph.outputs.map((out) => port(out.name, getValue(graph, out.value)))),
  };
}

/** The codes of one inference: all inputs one after the other. */
export type Codes = readonly bigint[];

/** Codes within the proven intervals of a graph's inputs; every fourth stands at an end of its own. */
export function randomCodes(graph: Graph, random: Random): bigint[] {
  return inputsOf(graph).flatMap((value) => {
    const { ranges } = quantOf(value);
    return Array.from({ length: sizeOf(value.shape) }, (_, i) => {
      const [lo, hi] = [ranges.lo(i), ranges.hi(i)];
      const choice = random.below(8);
      return choice === 0 ? lo : choice === 1 ? hi : random.bigintBetween(lo, hi);
    });
  });
}

/** Every input at its least, every input at its greatest, and each in turn against the others. */
export function cornerCodes(graph: Graph): bigint[][] {
  const bounds = inputsOf(graph).flatMap((value) => {
    const { ranges } = quantOf(value);
    return Array.from({ length: sizeOf(value.shape) }, (_, i) => [ranges.lo(i), ranges.hi(i)]);
  });
  return [
    bounds.map(([lo]) => lo),
    bounds.map(([, hi]) => hi),
    ...bounds.flatMap((_, hot) => [
      bounds.map(([lo, hi], i) => (i === hot ? hi : lo)),
      bounds.map(([lo, hi], i) => (i === hot ? lo : hi)),
    ]),
  ];
}

function feedOf(graph: Graph, codes: Codes): Map<ValueId, readonly bigint[]> {
  let at = 0;
  return new Map(
    inputsOf(graph).map(({ id, shape }) => {
      const start = at;
      at += sizeOf(shape);
      return [id, codes.slice(start, at)];
    }),
  );
}

/** What the oracle says, all outputs one after the other. */
export function oracle(graph: Graph, codes: Codes): bigint[] {
  const values = evaluateFixed(graph, ops, feedOf(graph, codes));
  return graph.outputs.flatMap(({ value }) => [...(values.get(value) as readonly bigint[])]);
}

/** Codes of several inferences as packets. */
export function packAll(ports: readonly PortTensor[], inferences: readonly Codes[]): Uint8Array {
  const stride = packetBytes(ports);
  const packets = new Uint8Array(stride * inferences.length);
  inferences.forEach((codes, i) => {
    let at = 0;
    for (const port of ports) {
      const size = sizeOf(port.shape);
      packCodes(codes.slice(at, at + size), port, packets, i * stride + port.offsetBytes);
      at += size;
    }
  });
  return packets;
}

export function unpackAll(
  ports: readonly PortTensor[],
  packets: Uint8Array,
  count: number,
): bigint[][] {
  const stride = packetBytes(ports);
  return Array.from({ length: count }, (_, i) =>
    ports.flatMap((port) =>
      unpackCodes(packets, i * stride + port.offsetBytes, sizeOf(port.shape), port),
    ),
  );
}

/** The emulator's answers, by the way that `compile` and `predict` take. */
export function emulate(graph: Graph, inferences: readonly Codes[]): bigint[][] {
  const ports = portsOf(graph);
  const module = emitEmulator(graph, ops, ports.inputs, ports.outputs);
  const packets = packAll(ports.inputs, inferences);
  const answers = instantiateEmulator("test", module, ports).run(packets, inferences.length);
  return unpackAll(ports.outputs, answers, inferences.length);
}

export const unrolled: ScheduleOptions = {
  clockMhz: 200,
  maxLevels: 6,
  reuse: 1,
  layerReuse: new Map(),
};

/** A design with its Verilog as a bundle that is nowhere on disk, for devices to load. */
export function bundleInMemory(
  graph: Graph,
  options: ScheduleOptions,
): { readonly bundle: Bundle; readonly design: Design } {
  const design = scheduleParallel(graph, ops, "test_top", options);
  const texts = new Map<string, Uint8Array | string>();
  const sources = addVerilog(texts, design, { source: "test.onnx", generator: "nn2fpga test" });
  const files = new Map(
    [...texts].map(([path, content]) => [
      path,
      typeof content === "string" ? new Uint8Array(Buffer.from(content)) : content,
    ]),
  );
  const { input, output, latencyCycles, intervalCycles } = design;
  const manifest: Manifest = {
    manifestVersion,
    name: "test",
    generator: "nn2fpga test",
    source: { file: "test.onnx", sha256: "" },
    ...portsOf(graph),
    kernel: {
      architecture: "parallel",
      top: design.top,
      clockMhz: design.clockMhz,
      reuse: design.reuse,
      maxLevels: design.maxLevels,
      inputStream: { beats: input.beats, beatBytes: input.beatBytes },
      outputStream: { beats: output.beats, beatBytes: output.beatBytes },
      predicted: { latencyCycles, intervalCycles },
      resources: { lut: 0, ff: 0, dsp: 0, bram36: 0 },
      sources,
    },
    files: Object.fromEntries(
      [...files].map(([path, { length }]) => [path, { sha256: "", sizeBytes: length }]),
    ),
  };
  const read = (path: string): Uint8Array => files.get(path) ?? new Uint8Array();
  return { bundle: { folder: "memory", manifest, read, verifyAll: () => {} }, design };
}
