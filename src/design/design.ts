import type { MatvecParameters } from "../hwlib/index.ts";
import type { Origin } from "../ir/index.ts";
import type { Netlist } from "./netlist.ts";
import type { StreamDesign } from "./stream.ts";

/** A hardware plan: data, no text. */
export type Design = ParallelDesign | StreamDesign;

/** What every plan says, whatever its architecture. */
export interface DesignBase {
  readonly name: string;
  /** Name of the top module. */
  readonly top: string;
  readonly clockMhz: number;
  /** Levels of logic allowed between two registers. */
  readonly maxLevels: number;
  /** Cycles that a network with folded products may take for an inference; 1 where nothing is folded. */
  readonly reuse: number;
  readonly input: PacketPlan;
  readonly output: PacketPlan;
  readonly latencyCycles: number;
  readonly intervalCycles: number;
}

/** One chain of segments, each handing whole vectors to the next. */
export interface ParallelDesign extends DesignBase {
  readonly architecture: "parallel";
  readonly input: StreamPlan;
  readonly output: StreamPlan;
  readonly segments: readonly Segment[];
}

/** How a packet is cut into beats. */
export interface PacketPlan {
  readonly beats: number;
  readonly beatBytes: number;
}

/** An AXI4-Stream at the edge: how a packet is cut into beats, and where each element stands in it. */
export interface StreamPlan extends PacketPlan {
  /** Elements of all tensors of this direction, in the packet's order. */
  readonly elements: readonly StreamElement[];
}

export interface StreamElement {
  readonly offsetBits: number;
  /** Bits of the code. The container's other bits repeat the sign, or are zero. */
  readonly widthBits: number;
  readonly signed: boolean;
  readonly containerBits: number;
}

/** One code on the vector between two segments. */
export interface Field {
  readonly offsetBits: number;
  readonly widthBits: number;
  readonly signed: boolean;
}

export type Segment = PipelineSegment | EngineSegment;

/** Unrolled logic: every net of its own, cut by registers, a vector in each cycle. */
export interface PipelineSegment {
  readonly kind: "pipeline";
  readonly name: string;
  readonly netlist: Netlist;
  readonly timing: PipelineTiming;
  /** Where the netlist's inputs stand on the vector that comes in. */
  readonly inputs: readonly Field[];
  readonly inputBits: number;
  /** Where its outputs go on the vector that leaves. */
  readonly outputs: readonly Field[];
  readonly outputBits: number;
}

/** When each wire of a pipeline carries its number. */
export interface PipelineTiming {
  /** Cycle in which a wire is valid, counted from the vector's arrival. */
  readonly cycle: Int32Array;
  /** Last cycle in which a wire is read. */
  readonly lastRead: Int32Array;
  /** Registers from input to output: the latency. */
  readonly depth: number;
  readonly hasInputRegister: boolean;
}

/** A constant matrix product with few multipliers that are used again and again. */
export interface EngineSegment {
  readonly kind: "engine";
  readonly name: string;
  readonly origin: Origin;
  readonly params: MatvecParameters;
  /** `[n][k]`, codes. */
  readonly weights: readonly (readonly bigint[])[];
  readonly bias: readonly bigint[];
  /** Bits that pass beside the engine, above x on the vector that comes in and above y on the one that leaves. */
  readonly passBits: number;
  readonly inputBits: number;
  readonly outputBits: number;
}

/** Part of a segment's vector: the wires that stand on it, one field each. */
export interface VectorLayout {
  readonly fields: readonly Field[];
  readonly bits: number;
}

/** Puts codes side by side, the first in the low bits. */
export function layOut(
  codes: readonly { readonly widthBits: number; readonly signed: boolean }[],
): VectorLayout {
  let bits = 0;
  const fields = codes.map(({ widthBits, signed }) => {
    const field = { offsetBits: bits, widthBits, signed };
    bits += widthBits;
    return field;
  });
  return { fields, bits };
}
