import type { Origin } from "../ir/index.ts";
import type { DesignBase, PipelineSegment } from "./design.ts";

/** One folded engine for each layer, joined by FIFOs; weights on chip. */
export interface StreamDesign extends DesignBase {
  readonly architecture: "stream";
  readonly nodes: readonly StreamNode[];
  readonly edges: readonly StreamEdge[];
  /** Texts of the memory files, by name. */
  readonly memories: ReadonlyMap<string, string>;
  readonly layers: readonly LayerPlan[];
  /** What became of recurrent layers over several steps. */
  readonly loops: readonly LoopPlan[];
  /** The node that needs the most cycles for an inference, when nothing keeps it waiting. */
  readonly slowest: SlowestNode;
  /** The device whose budgets were kept, where one was given. */
  readonly target?: string;
}

export interface SlowestNode {
  readonly title: string;
  readonly origin: Origin;
  readonly cycles: number;
}

/** How the steps of a recurrent layer, or of one direction of it, are made. */
export interface LoopPlan {
  readonly name: string;
  readonly origin: Origin;
  readonly steps: number;
  /** Whether one cell makes all of them. */
  readonly isShared: boolean;
  /** Why it is so, and what would change it; absent: as the configuration says. */
  readonly why?: string;
  readonly hint?: string;
  /** Where the cell that they share sets the pace. */
  readonly round?: RoundPlan;
}

/** The way of a state round a cell, until the next step can begin. */
export interface RoundPlan {
  readonly cycles: number;
  /** Those in which the engines of the cell multiply, one after the other. */
  readonly productCycles: number;
}

/** Where beats come from or go to: a port of a node, by its number in `nodes`. */
export interface EdgeEnd {
  readonly node: number;
  readonly port: number;
}

/**
 * A FIFO between two nodes. A beat is `lanes` elements of `widthBits` bits each, the first in the low bits.
 */
export interface StreamEdge {
  readonly name: string;
  readonly from: EdgeEnd;
  readonly to: EdgeEnd;
  readonly lanes: number;
  readonly widthBits: number;
  /** Beats of one inference. */
  readonly beats: number;
  /** Beats that it holds, at least 2. */
  readonly depth: number;
  readonly isBlockRam: boolean;
  /** First bit, in the beat of the producer's port, of the bits that travel here. */
  readonly fromBit: number;
}

export type StreamNode = ModuleNode | PipelineNode;

interface NodeBase {
  /** `n3_conv1`: names the instance. */
  readonly name: string;
  readonly origin: Origin;
  /** What it does, in a few words for the reader of the Verilog. */
  readonly title: string;
  readonly inputs: number;
  readonly outputs: number;
}

export type ParameterValue = number | boolean | string;

/** An instance of a module of the library. */
export interface ModuleNode extends NodeBase {
  readonly kind: "module";
  readonly module: string;
  readonly params: Readonly<Record<string, ParameterValue>>;
}

/**
 * Unrolled logic over the lanes of a beat. The vector that it reads is the beats of its inputs, the first in
 * the low bits, and above them a word of constants.
 */
export interface PipelineNode extends NodeBase {
  readonly kind: "pipeline";
  readonly segment: PipelineSegment;
  /** Bits of each input's beat. */
  readonly inputBits: readonly number[];
  /** Constants that change from beat to beat and come again after `words` beats. */
  readonly constants?: {
    readonly file: string;
    readonly words: number;
    readonly widthBits: number;
  };
}

/** How one layer was folded, and what limits it. */
export interface LayerPlan {
  readonly name: string;
  readonly origin: Origin;
  readonly kind: string;
  readonly pe: number;
  readonly simd: number;
  /** Vectors at once. */
  readonly rows: number;
  /** Cycles that its engine is busy for each inference. */
  readonly cycles: number;
  /** Multiplications of one inference. */
  readonly products: number;
  readonly multipliers: number;
  readonly resources: {
    readonly lut: number;
    readonly ff: number;
    readonly dsp: number;
    readonly bram36: number;
    readonly uram: number;
  };
}
