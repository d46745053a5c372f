import { assert, fail } from "../../../base/index.ts";
import {
  type Graph,
  getValue,
  type OpValue,
  originText,
  type Registry,
  type ValueId,
} from "../../../ir/index.ts";
import type { EngineLayer } from "../engine-layer.ts";
import type { FoldingPoint } from "../folding.ts";
import { NetworkBuilder, type Stream } from "../network-builder.ts";
import { type RegionUnit, readsOf, type Unit } from "../units.ts";

export interface LowerOptions {
  /** Cycles that every node may take for an inference. */
  readonly interval: number;
  readonly maxLevels: number;
  readonly point: (layer: EngineLayer) => FoldingPoint;
}

/** Bits of a beat of a packet, at most. */
export const widestBeatBits = 512;
/** Bits above which a buffer goes to block RAM. */
export const lutRamBits = 8192;
/** Pixels of a row up to which its buffer is LUT RAM. */
export const lutRamWords = 128;

/** A stream whose elements are a value's codes; or, for the result of an engine, the codes without their twos. */
export interface Source {
  readonly stream: Stream;
  readonly twos?: readonly number[];
}

/** What all that makes nodes shares: the graph, the network so far, and the streams that wait for a reader. */
export class Context {
  readonly net: NetworkBuilder;
  /** Times that all of it is done for an inference: the steps of a loop, or once. */
  readonly steps: number;
  /** What is left of each value for those that read it. */
  readonly sources = new Map<ValueId, Source[]>();
  readonly readers = new Map<ValueId, number>();
  readonly graph: Graph;
  readonly ops: Registry;
  readonly units: ReadonlyMap<ValueId, Unit>;
  readonly options: LowerOptions;

  constructor(
    graph: Graph,
    ops: Registry,
    units: ReadonlyMap<ValueId, Unit>,
    options: LowerOptions,
    net = new NetworkBuilder(),
    steps = 1,
  ) {
    this.net = net;
    this.steps = steps;
    this.graph = graph;
    this.ops = ops;
    this.units = units;
    this.options = options;
  }

  /** Counts who reads each value: units, and the graph's outputs. */
  countReaders(): void {
    const read = (id: ValueId) => {
      if (getValue(this.graph, id).kind === "const") return;
      this.readers.set(id, (this.readers.get(id) ?? 0) + 1);
    };
    for (const unit of new Set(this.units.values())) readsOf(unit).forEach(read);
    for (const { value } of this.graph.outputs) read(value);
  }

  /** Hands a value's stream to all that read it. */
  provide(id: ValueId, stream: Stream, twos?: readonly number[]): void {
    const readers = this.readers.get(id) ?? 0;
    assert(readers > 0, `nothing reads ${id}`);
    const needsTwos = twos?.some((zeros) => zeros > 0);
    const sources = this.net
      .fork(stream, readers)
      .map((branch): Source => ({ stream: branch, ...(needsTwos && twos && { twos }) }));
    this.sources.set(id, sources);
  }

  /**
   * Cycles in which the beats of a region may pass. In a loop nothing overlaps but what follows a product, so it keeps
   * up with the products that it reads, and costs the round no more than its latency.
   */
  cyclesFor({ inputs }: Pick<RegionUnit, "inputs">): number {
    const { interval, point } = this.options;
    if (this.steps === 1) return interval;
    const cycles = inputs.flatMap((id) => {
      const unit = this.units.get(id);
      return unit?.kind === "engine" ? [point(unit.layer).cycles / this.steps] : [];
    });
    return cycles.length === 0 ? interval : Math.max(1, Math.floor(Math.min(...cycles)));
  }

  source(id: ValueId): Source {
    const source = this.sources.get(id)?.shift();
    assert(source !== undefined, `value ${id} is not at hand`);
    return source;
  }
}

/** @throws N2F_OP_UNSUPPORTED, always */
export function refuse(value: OpValue, why = "it has no stream module"): never {
  return fail("N2F_OP_UNSUPPORTED", `${value.op} cannot be streamed: ${why}`, {
    at: originText(value.origin),
    hint: "Use --architecture parallel for a small network, or remove the node from the model.",
  });
}
