import { Random } from "../base/index.ts";
import { evaluate, type Graph, type Registry, type ValueId } from "../ir/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** What calibration saw of one value. */
export interface ValueStatistics {
  readonly min: number;
  readonly max: number;
  /** All numbers seen, or a random part of them. */
  readonly sample: Float64Array;
}

export type Statistics = ReadonlyMap<ValueId, ValueStatistics>;

/** Numbers kept for each value: enough for a percentile of 99.9. */
const keep = 1 << 15;

/**
 * Runs the graph on calibration data and keeps what its values look like.
 *
 * @param samples one map for each inference; holds the inputs, and whatever else is known (from the
 * float reference, say)
 * @param onInference gets all values of one inference after the other
 */
export function gatherStatistics(
  graph: Graph,
  ops: Registry,
  samples: Iterable<ReadonlyMap<ValueId, Tensor>>,
  onInference: (values: ReadonlyMap<ValueId, Tensor>) => void = () => {},
): Statistics {
  const gathered = new Map<ValueId, Reservoir>();
  for (const known of samples) {
    const values = evaluate(graph, ops, known);
    onInference(values);
    for (const [id, tensor] of values) {
      if (graph.values.get(id)?.kind === "const") continue;
      let reservoir = gathered.get(id);
      if (reservoir === undefined) {
        reservoir = new Reservoir(gathered.size);
        gathered.set(id, reservoir);
      }
      reservoir.add(tensor.data);
    }
  }
  return new Map([...gathered].map(([id, reservoir]) => [id, reservoir.statistics()]));
}

/** A uniform random part of a long run of numbers (Vitter's algorithm R), and its extremes. */
class Reservoir {
  readonly #random: Random;
  #kept = new Float64Array(64);
  #seen = 0;
  #min = Infinity;
  #max = -Infinity;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  add(data: Float64Array): void {
    for (const value of data) {
      if (!Number.isFinite(value)) continue;
      if (value < this.#min) this.#min = value;
      if (value > this.#max) this.#max = value;
      const place = this.#seen < keep ? this.#seen : this.#random.below(this.#seen + 1);
      this.#seen++;
      if (place >= keep) continue;
      if (place >= this.#kept.length) this.#grow();
      this.#kept[place] = value;
    }
  }

  statistics(): ValueStatistics {
    if (this.#seen === 0) return { min: 0, max: 0, sample: new Float64Array() };
    const sample = this.#kept.slice(0, Math.min(this.#seen, keep));
    return { min: this.#min, max: this.#max, sample };
  }

  #grow(): void {
    const next = new Float64Array(Math.min(keep, this.#kept.length * 2));
    next.set(this.#kept);
    this.#kept = next;
  }
}
