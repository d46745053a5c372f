import {
  type ConstValue,
  forEachWeightRow,
  type Graph,
  getValue,
  isDense,
  type OpValue,
  type Registry,
  rewriteGraph,
  usersOf,
  type Value,
  type ValueId,
  valueId,
  weightMatrices,
} from "../ir/index.ts";
import { makeTensor } from "../tensor/index.ts";

/** Two products between which channels may be scaled: nothing there but operators with f(s x) = s f(x), s > 0. */
interface Pair {
  readonly producer: OpValue;
  readonly consumer: OpValue;
  readonly channels: number;
  /** All that is scaled: the producer's result, and what is made of it, up to what the consumer reads. */
  readonly between: readonly ValueId[];
}

/** The greatest magnitude that calibration saw at each position of the last axis of a value. */
export type ChannelReach = (id: ValueId) => Float64Array | undefined;

/** Factors are kept within this, so that no channel is lost for a rare large number in another. */
const mostFactor = 16;

/**
 * Equalisation across layers: multiplies each channel between two products by a factor of its own, and
 * divides the weights that read it, so that all channels use the few codes of an activation alike. Weights
 * that write a channel have binary points of their own, so they lose nothing. Over real numbers the network
 * stays the same; values that are scaled get names of their own.
 *
 * The factor of a channel is the root of (reach of the weights that read it / its own reach), which shares
 * the difference between activation and weights.
 *
 * @see Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction, 2019
 */
export function equalizeChannels(graph: Graph, ops: Registry, reach: ChannelReach): Graph {
  const scaled = new Map<ValueId, Float64Array>();
  const renamed = new Map<ValueId, ValueId>();
  const divided = new Map<ValueId, Float64Array>();
  for (const pair of findPairs(graph)) {
    const seen = reach(pair.between[pair.between.length - 1]);
    if (seen === undefined) continue;
    // After a flatten the channels recur along the axis.
    const own = new Float64Array(pair.channels);
    seen.forEach((size, i) => {
      own[i % pair.channels] = Math.max(own[i % pair.channels], size);
    });
    const factors = factorsOf(own, readersReach(graph, pair));
    scaled.set(pair.producer.id, factors);
    divided.set(pair.consumer.id, factors);
    for (const id of pair.between) renamed.set(id, valueId(`${id}.equalized`));
  }
  if (scaled.size === 0) return graph;
  const equalized = rewriteGraph(graph, ops, (value, { build, args }) => {
    const [by, over] = [scaled.get(value.id), divided.get(value.id)];
    if (by === undefined && over === undefined) return undefined;
    const [x, w, bias] = args;
    const weights = build.value(w) as ConstValue;
    const data = Float64Array.from(weights.data.data);
    const matrices = weightMatrices(value.op, weights.shape);
    if (matrices === undefined) return undefined;
    forEachWeightRow(matrices, (first, column, row) => {
      for (let n = 0; n < matrices.columns; n++) {
        if (by !== undefined) data[first + n] *= by[column + n];
        if (over !== undefined)
          data[first + n] /= over[channelOf(matrices, column, row, over.length)];
      }
    });
    const made = [x, build.constant(makeTensor(weights.shape, data), w)];
    if (bias !== undefined) {
      const constant = build.value(bias) as ConstValue;
      const moved = constant.data.data.map((element, n) => element * (by?.[n] ?? 1));
      made.push(build.constant(makeTensor(constant.shape, moved), bias));
    }
    return build.op(value.op, made, value.attrs);
  });
  return withNames(equalized, renamed);
}

/** Scaled values are not the model's any more, so they do not keep its names. */
function withNames(graph: Graph, renamed: ReadonlyMap<ValueId, ValueId>): Graph {
  const nameOf = (id: ValueId) => renamed.get(id) ?? id;
  const values = [...graph.values.values()].map((value): [ValueId, Value] => {
    const id = nameOf(value.id);
    return [
      id,
      value.kind === "op" ? { ...value, id, args: value.args.map(nameOf) } : { ...value, id },
    ];
  });
  return { ...graph, values: new Map(values) };
}

/** The channel that a row of weights reads: rows of a group go position by position, channels innermost. */
function channelOf(
  { groups, columns }: { readonly groups: number; readonly columns: number },
  column: number,
  row: number,
  channels: number,
): number {
  const each = channels / groups;
  return Math.floor(column / columns) * each + (row % each);
}

/** The greatest magnitude among the weights that read each channel. */
function readersReach(graph: Graph, { consumer, channels }: Pair): Float64Array {
  const weights = getValue(graph, consumer.args[1]) as ConstValue;
  const matrices = weightMatrices(consumer.op, weights.shape);
  const reach = new Float64Array(channels);
  if (matrices === undefined) return reach;
  forEachWeightRow(matrices, (first, column, row) => {
    const channel = channelOf(matrices, column, row, channels);
    for (let n = 0; n < matrices.columns; n++) {
      reach[channel] = Math.max(reach[channel], Math.abs(weights.data.data[first + n]));
    }
  });
  return reach;
}

/** Factors with a geometric mean of one; channels that are never used keep theirs. */
function factorsOf(own: Float64Array, readers: Float64Array): Float64Array {
  const logs = own.map((reach, c) =>
    reach > 0 && readers[c] > 0 ? Math.log2(readers[c] / reach) / 2 : Number.NaN,
  );
  const used = logs.filter((log) => !Number.isNaN(log));
  const mean = used.reduce((a, b) => a + b, 0) / Math.max(1, used.length);
  const limit = Math.log2(mostFactor);
  return logs.map((log) =>
    Number.isNaN(log) ? 1 : 2 ** Math.max(-limit, Math.min(limit, log - mean)),
  );
}

const homogeneous = new Set(["relu", "prelu", "max_pool", "sum_pool", "pad"]);

function findPairs(graph: Graph): Pair[] {
  const users = usersOf(graph);
  const outputs = new Set(graph.outputs.map(({ value }) => value));
  const find = (id: ValueId) => getValue(graph, id);
  const onlyUser = (value: Value): OpValue | undefined => {
    const all = users.get(value.id) ?? [];
    return all.length === 1 && !outputs.has(value.id) ? all[0] : undefined;
  };
  return [...graph.values.values()].flatMap((producer): Pair[] => {
    if (!isDense(producer, find) || !isFree(producer, find)) return [];
    const channels = producer.shape.at(-1) ?? 1;
    let last: OpValue = producer;
    const between = [producer.id];
    for (let user = onlyUser(last); user !== undefined; user = onlyUser(last)) {
      if (isDense(user, find) && user.args[0] === last.id) {
        const fits = isFree(user, find) && readsChannels(user, find, channels);
        return fits ? [{ producer, consumer: user, channels, between }] : [];
      }
      if (!keepsChannels(user, last, find)) return [];
      last = user;
      between.push(user.id);
    }
    return [];
  });
}

/** Integers of a quantized model are not ours to scale. */
function isFree(product: OpValue, find: (id: ValueId) => Value): boolean {
  return product.args
    .slice(1)
    .map(find)
    .every((arg) => arg.kind === "const" && arg.dtype === "float" && arg.exact !== true);
}

function readsChannels(product: OpValue, find: (id: ValueId) => Value, channels: number): boolean {
  const matrices = weightMatrices(product.op, find(product.args[1]).shape);
  if (matrices === undefined || channels % matrices.groups !== 0) return false;
  if (product.op === "conv" && find(product.args[0]).shape.at(-1) !== channels) return false;
  return matrices.rows % (channels / matrices.groups) === 0;
}

/** Whether a value scaled by channel comes out scaled by channel: the last axis stays the channels. */
function keepsChannels(user: OpValue, from: Value, find: (id: ValueId) => Value): boolean {
  if (user.args[0] !== from.id) return false;
  // A flattened picture has its channels innermost still, so channel = column modulo channels.
  if (user.op === "reshape") return true;
  if (!homogeneous.has(user.op)) return false;
  if (user.op === "pad")
    return user.attrs["value"] === 0 && user.shape.at(-1) === from.shape.at(-1);
  return user.args.slice(1).every((id) => find(id).kind === "const");
}
