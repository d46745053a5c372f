import type { Field, PipelineSegment, Wire } from "../../../design/index.ts";
import { memoryImage } from "../../../hwlib/index.ts";
import {
  getValue,
  type Kernel,
  type OpValue,
  quantArgs,
  quantOf,
  type ValueId,
} from "../../../ir/index.ts";
import { sizeOf } from "../../../tensor/index.ts";
import { scheduleStages } from "../../stages.ts";
import {
  beatsOf,
  dividingLanes,
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

/** One pipeline for a region; a stream for each of its outputs. */
export function lanePipeline(
  context: Context,
  unit: RegionUnit,
  sources: ReadonlyMap<ValueId, Source>,
): Stream[] {
  const size = (id: ValueId) => sizeOf(getValue(context.graph, id).shape);
  const rows = rowsOf(unit);
  const { interval, maxLevels } = context.options;
  const largest = Math.max(...[...unit.inputs, ...unit.outputs].map(size));
  const shape = elementLayout(unit, sources, largest, interval);
  const geometry = rows === undefined ? elementGeometry(shape) : rowGeometry(rows);
  const region = new RegionBuilder(geometry);
  const fields: Field[] = [];
  const inputBits: number[] = [];
  const inputs: Stream[] = [];
  let bits = 0;
  const bound: { id: ValueId; elements: number; wires: Wire[]; twos?: readonly number[] }[] = [];
  for (const id of unit.inputs) {
    const { stream, twos } = sources.get(id) as Source;
    const own = size(id);
    const value = getValue(context.graph, id);
    const { ranges, format } = quantOf(value);
    const n = twos?.length ?? 1;
    region.build.from(value.origin);
    let fed: Stream;
    let elements = own;
    if (rows !== undefined) fed = context.net.convert(stream, own / rows, own / rows);
    else if (own === largest) fed = context.net.convert(stream, shape.vector, shape.lanes);
    else {
      fed = spreadOver(
        context,
        unit,
        id,
        context.net.convert(stream, own, dividingLanes(own, shape.lanes)),
        shape,
        largest / own,
      );
      elements = largest;
    }
    const repeat = leastCommonMultiple(ranges.period, n);
    const wires = region.input(
      elements,
      (element) => {
        const at = element % own;
        const spare = BigInt(twos?.[at % n] ?? 0);
        return [ranges.lo(at) >> spare, ranges.hi(at) >> spare];
      },
      own % repeat === 0 ? repeat : elements,
    );
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
    const shifted = twos === undefined ? wires : shiftBack(context, region, id, wires, twos);
    region.bind(id, elements, shifted);
  }
  for (const { value, kernel } of unit.members) {
    const local = withoutSpread(context, kernel, value, size, largest, rows);
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
    const wires = region.wiresOf(id);
    if (rows === undefined && size(id) !== largest)
      throw new NotLocal(`${id} of ${size(id)} elements is also used by itself`);
    parts.push({
      from: { node: 0, port: 0 },
      layout:
        rows === undefined ? shape : { vectors: rows, vector: wires.length, lanes: wires.length },
      widthBits: format.width,
      fromBit: outputBits,
    });
    for (const wire of wires) {
      results.push(wire);
      outputs.push({
        offsetBits: outputBits,
        widthBits: format.width,
        signed: format.signed,
      });
      outputBits += format.width;
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
    context.net.memories.set(`${name}_constants.hex`, memoryImage(words.words, words.bits));
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

/** Lanes for elements that are worked on one by one: as the widest input has them, but no more than the rate needs. */
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
  return best ?? { vectors: 1, vector: elements, lanes: dividingLanes(elements, 1) };
}

/** A small value over and over, so that it meets every pixel. */
function spreadOver(
  context: Context,
  unit: RegionUnit,
  id: ValueId,
  stream: Stream,
  shape: Layout,
  times: number,
): Stream {
  const own = elementsOf(stream.layout);
  if (shape.vector % own !== 0 || own % shape.lanes !== 0) {
    throw new NotLocal(`${id} of ${own} elements does not lie along the ${shape.vector} channels`);
  }
  void unit;
  const beats = beatsOf(stream.layout);
  const node = context.net.module("n2f_upsample", "spread", `${id}, ${times} times`, {
    WIDTH: stream.layout.lanes * stream.widthBits,
    W: 1,
    B: beats,
    FY: 1,
    FX: times,
    STYLE: 0,
  });
  context.net.connect(stream, { node, port: 0 });
  return context.net.output(
    node,
    { vectors: shape.vectors, vector: shape.vector, lanes: shape.lanes },
    stream.widthBits,
  );
}

/** The kernel for operands that have been spread to full size: they no longer need an index. */
function withoutSpread(
  context: Context,
  kernel: Kernel,
  value: OpValue,
  size: (id: ValueId) => number,
  largest: number,
  rows: number | undefined,
): Kernel {
  if (rows !== undefined || kernel.kind !== "binary") return kernel;
  const full = (operand: typeof kernel.a) => {
    const id = value.args[operand.arg];
    const own = size(id);
    const { index } = operand;
    if (index === undefined || own === largest || getValue(context.graph, id).kind === "const")
      return operand;
    if (!index.every((from, i) => from === i % own)) return operand;
    return { arg: operand.arg, shift: operand.shift };
  };
  return { ...kernel, a: full(kernel.a), b: full(kernel.b) };
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
