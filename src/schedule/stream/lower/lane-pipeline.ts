import type { Field, PipelineSegment, Wire } from "../../../design/index.ts";
import { memoryImage } from "../../../hwlib/index.ts";
import { getValue, quantArgs, quantOf, type ValueId } from "../../../ir/index.ts";
import { type Shape, sizeOf } from "../../../tensor/index.ts";
import { scheduleStages } from "../../stages.ts";
import {
  beatsOf,
  elementsOf,
  greatestCommonDivisor,
  type Layout,
  lanesForRate,
  leastCommonMultiple,
} from "../layout.ts";
import type { Stream } from "../network-builder.ts";
import { elementGeometry, NotLocal, RegionBuilder, rowGeometry } from "../region.ts";
import type { RegionUnit } from "../units.ts";
import type { Context, Source } from "./context.ts";
import { fitsAll, type Spread, spreadOver, spreadsOf, withoutSpread } from "./spread.ts";

/**
 * One pipeline for a region; a stream for each of its outputs.
 *
 * @param resultBits bits of each result, where they are not those of its format
 * @param isOneBeat all of each value in a beat: then any operator is a local one
 */
export function lanePipeline(
  context: Context,
  unit: RegionUnit,
  sources: ReadonlyMap<ValueId, Source>,
  { resultBits, isOneBeat = false }: { resultBits?: number; isOneBeat?: boolean } = {},
): Stream[] {
  const size = (id: ValueId) => sizeOf(getValue(context.graph, id).shape);
  const { maxLevels } = context.options;
  const interval = context.cyclesFor(unit);
  const largest = Math.max(...[...unit.inputs, ...unit.outputs].map(size));
  const [rows, shape, spread] = isOneBeat
    ? oneBeat(largest)
    : planBeats(context, unit, sources, largest, interval);
  const geometry = rows === undefined ? elementGeometry(shape) : rowGeometry(rows);
  const region = new RegionBuilder(geometry);
  const fields: Field[] = [];
  const inputBits: number[] = [];
  const inputs: Stream[] = [];
  let bits = 0;
  const bound: Bound[] = [];
  for (const id of unit.inputs) {
    const { stream, twos } = sources.get(id) as Source;
    const own = size(id);
    const value = getValue(context.graph, id);
    const { ranges, format } = quantOf(value);
    const n = twos?.length ?? 1;
    region.build.from(value.origin);
    const small = spread.get(id);
    const elements = small === undefined ? own : largest;
    let fed: Stream;
    if (rows !== undefined) fed = context.net.convert(stream, own / rows, own / rows);
    else if (small === undefined) fed = context.net.convert(stream, shape.vector, shape.lanes);
    else fed = spreadOver(context, id, stream, shape, small.repetition, own);
    const range = (element: number): readonly [bigint, bigint] => {
      const at = small?.place[element] ?? element;
      const spare = BigInt(twos?.[at % n] ?? 0);
      return [ranges.lo(at) >> spare, ranges.hi(at) >> spare];
    };
    const least = leastCommonMultiple(ranges.period, n);
    const isCyclic = own % least === 0 && small?.scattered === undefined;
    const repeat = isCyclic ? least : elements;
    const wires = region.input(elements, range, repeat, fed.layout.lanes);
    const signed = format.signed;
    wires.forEach((wire, lane) => {
      const { widthBits } = region.build.cell(wire);
      fields.push({ offsetBits: bits + lane * fed.widthBits, widthBits, signed });
    });
    inputs.push(fed);
    inputBits.push(fed.layout.lanes * fed.widthBits);
    bits += fed.layout.lanes * fed.widthBits;
    bound.push({ id, elements, wires, ...(twos && { twos }) });
  }
  for (const { id, elements, wires, twos } of bound) {
    const lanes = geometry.lanes(elements);
    const all = Array.from({ length: lanes }, (_, lane) => wires[lane % wires.length]);
    region.at(spread.get(id)?.scattered);
    const shifted = twos === undefined ? all : shiftBack(context, region, id, all, twos);
    region.bind(id, elements, shifted);
  }
  for (const { value, kernel } of unit.members) {
    const local = rows === undefined ? withoutSpread(kernel, value, spread) : kernel;
    region.at(spread.get(value.id)?.scattered);
    region.add(value, local, quantArgs(context.graph, value), size(value.id));
  }
  const constants = region.constantWords();
  let offset = bits;
  for (const wire of constants.wires) {
    const { widthBits, signed } = region.build.cell(wire);
    fields.push({ offsetBits: offset, widthBits, signed });
    offset += widthBits;
  }

  const results: Wire[] = [];
  const outputs: Field[] = [];
  const parts: Stream[] = [];
  let outputBits = 0;
  for (const id of unit.outputs) {
    const { format } = quantOf(getValue(context.graph, id));
    const width = resultBits ?? format.width;
    const wires = region.wiresOf(id);
    parts.push({
      from: { node: 0, port: 0 },
      layout:
        rows === undefined ? shape : { vectors: rows, vector: wires.length, lanes: wires.length },
      widthBits: width,
      fromBit: outputBits,
    });
    for (const wire of wires) {
      results.push(wire);
      outputs.push({
        offsetBits: outputBits,
        widthBits: width,
        signed: format.signed,
      });
      outputBits += width;
    }
  }
  // Inputs of the netlist are in the order in which they were made; so are the fields, up to the shifts.
  const netlist = region.build.netlist(results);
  const timing = scheduleStages(netlist, maxLevels, false);
  const name = context.net.nextName(unit.members.at(-1)?.value.op ?? "shift");
  const order = fieldOrder(
    bound.flatMap(({ wires }) => wires),
    constants.wires,
    fields,
  );
  const segment: PipelineSegment = {
    kind: "pipeline",
    name,
    netlist,
    timing,
    inputs: order,
    inputBits: offset,
    outputs,
    outputBits,
  };
  const words = constants.wires.length > 0 ? constants : undefined;
  if (words !== undefined)
    context.net.remember(() => [[`${name}_constants.hex`, memoryImage(words.words, words.bits)]]);
  const told = unit.members.map(({ value }) => value.op).join(", ");
  const node = context.net.pipeline({
    name,
    title: `${told || "shift"} on ${geometry.lanes(largest)} lanes`,
    inputs: inputs.length,
    outputs: 1,
    segment,
    inputBits,
    ...(words && {
      constants: {
        file: `${name}_constants.hex`,
        words: words.words.length,
        widthBits: words.bits,
      },
    }),
  });
  inputs.forEach((stream, port) => {
    context.net.connect(stream, { node, port });
  });
  const own = parts.map((part) => ({ ...part, from: { node, port: 0 } }));
  if (own.length <= 1) return own;
  return context.net.forkParts(own[0], outputBits, own);
}

/** A value's codes in another number of bits, extended as its format is: only wires. */
export function rewire(context: Context, id: ValueId, stream: Stream, widthBits: number): Stream {
  if (stream.widthBits === widthBits) return stream;
  const unit: RegionUnit = { kind: "region", members: [], inputs: [id], outputs: [id] };
  context.net.from(getValue(context.graph, id).origin);
  return lanePipeline(context, unit, new Map([[id, { stream }]]), {
    resultBits: widthBits,
  })[0];
}

function fieldOrder(
  streams: readonly Wire[],
  words: readonly Wire[],
  fields: readonly Field[],
): Field[] {
  return [...streams, ...words]
    .map((wire, at) => ({ wire, field: fields[at] }))
    .sort((a, b) => a.wire - b.wire)
    .map(({ field }) => field);
}

/** Rows that a region's reductions stay within; nothing where there are none. */
function rowsOf(unit: RegionUnit): number | undefined {
  let rows: number | undefined;
  for (const { kernel } of unit.members) {
    if (kernel.kind !== "reduce") continue;
    rows = rows === undefined ? kernel.outer : greatestCommonDivisor(rows, kernel.outer);
  }
  return rows;
}

/** An input of the region, and the wires of a beat of it. */
interface Bound {
  readonly id: ValueId;
  readonly elements: number;
  readonly wires: readonly Wire[];
  readonly twos?: readonly number[];
}

/**
 * Whether beats are rows, and how many, or else the beats of elements that are worked on one by one; and how
 * smaller operands are repeated beside those.
 */
function planBeats(
  context: Context,
  unit: RegionUnit,
  sources: ReadonlyMap<ValueId, Source>,
  largest: number,
  interval: number,
): [rows: number | undefined, shape: Layout, spread: ReadonlyMap<ValueId, Spread>] {
  const size = (id: ValueId) => sizeOf(getValue(context.graph, id).shape);
  const layout = elementLayout(unit, sources, largest, interval);
  if (unit.part !== undefined) return [beatsOf(partLayout(unit.part, interval)), layout, new Map()];
  const rows = rowsOf(unit);
  if (rows !== undefined) {
    const across = unit.inputs.find((id) => size(id) % rows !== 0);
    if (across !== undefined)
      throw new NotLocal(
        `${across} of ${size(across)} elements does not lie along the ${rows} rows`,
      );
    return [rows, layout, new Map()];
  }
  if (beatsOf(layout) === 1) return oneBeat(largest);
  const spread = spreadsOf(context, unit, largest, size);
  const isSmall = unit.inputs.some((id) => size(id) !== largest);
  let { lanes } = layout;
  while (isSmall && lanes > 1 && !fitsAll(spread.values(), layout.vector, lanes)) lanes--;
  return [undefined, { ...layout, lanes }, spread];
}

/** How a part of a value that is cut into interleaved ones lies in beats. */
export function partLayout(part: Shape, interval: number): Layout {
  const vector = part.at(-1) ?? 1;
  const vectors = sizeOf(part) / vector;
  return { vectors, vector, lanes: lanesForRate(vectors, vector, interval) };
}

function oneBeat(elements: number): ReturnType<typeof planBeats> {
  return [1, { vectors: 1, vector: elements, lanes: elements }, new Map()];
}

/** As the widest input has them, but no more lanes than the rate needs. */
function elementLayout(
  unit: RegionUnit,
  sources: ReadonlyMap<ValueId, Source>,
  elements: number,
  interval: number,
): Layout {
  let best: Layout | undefined;
  for (const id of unit.inputs) {
    const { layout } = (sources.get(id) as Source).stream;
    if (elementsOf(layout) !== elements) continue;
    const { vectors, vector } = layout;
    const lanes = Math.min(layout.lanes, lanesForRate(vectors, vector, interval));
    if (best === undefined || lanes > best.lanes) best = { vectors, vector, lanes };
  }
  return best ?? { vectors: 1, vector: elements, lanes: lanesForRate(1, elements, interval) };
}

/** Puts the zeros back that an engine left out at the end of each column's codes. */
function shiftBack(
  context: Context,
  region: RegionBuilder,
  id: ValueId,
  wires: readonly Wire[],
  twos: readonly number[],
): Wire[] {
  const { build } = region;
  const value = getValue(context.graph, id);
  build.from(value.origin);
  const { ranges } = quantOf(value);
  const elements = sizeOf(value.shape);
  const counts = region.constants(elements, (i) => BigInt(twos[i % twos.length]), twos.length);
  const [least, most] = ranges.hull();
  const clip = (x: bigint) => (x < least ? least : x > most ? most : x);
  return wires.map((wire, lane) => {
    const count = build.cell(counts[lane]);
    if (count.net.kind === "const") return build.shiftLeft(wire, Number(count.lo));
    // Step by step: by 1, by 2, by 4, ... as the bits of the count say.
    let at = build.shiftLeft(wire, Number(count.lo));
    const rest = build.add(
      counts[lane],
      0,
      build.constant(count.lo),
      0,
      true,
      0n,
      count.hi - count.lo,
    );
    for (let bit = 0; 1n << BigInt(bit) <= count.hi - count.lo; bit++) {
      const condition = build.net(
        {
          kind: "requantize",
          a: rest,
          shift: bit,
          rounding: "TRN",
          overflow: "WRAP",
          signed: false,
          width: 1,
        },
        0n,
        1n,
      );
      const far = build.shiftLeft(at, 2 ** bit);
      const [ca, cf] = [build.cell(at), build.cell(far)];
      const lo = clip(ca.lo < cf.lo ? ca.lo : cf.lo);
      const hi = clip(ca.hi > cf.hi ? ca.hi : cf.hi);
      at = build.net({ kind: "choose", condition, a: far, b: at }, lo, hi);
    }
    return at;
  });
}
