import { initCode, memoryImage, packWord } from "../../../hwlib/index.ts";
import { quantOf, type Value, type ValueId } from "../../../ir/index.ts";
import { sizeOf } from "../../../tensor/index.ts";
import {
  beatsOf,
  dividingLanes,
  elementAt,
  elementsOf,
  type Layout,
  lanesForRate,
} from "../layout.ts";
import type { Stream } from "../network-builder.ts";
import { type LoopUnit, readsOf } from "../units.ts";
import { Context } from "./context.ts";
import { plainValue } from "./take.ts";

/** A state that waits for what comes back. */
interface Waiting {
  readonly node: number;
  readonly layout: Layout;
  readonly next: ValueId;
}

/**
 * One step of a loop, which all steps go through: rows come as they are, states through `n2f_loop`, to which what is
 * left at the end of a step comes back.
 *
 * @param lowerBody makes nodes of the body, whose inputs are at hand
 */
export function lowerLoop(
  outer: Context,
  { loop, units, value }: LoopUnit,
  lowerBody: (body: Context) => void,
): void {
  const { steps, body } = loop;
  // What works on elements is done with a state in a part of the time that the products take.
  const interval = Math.max(1, Math.floor(outer.options.interval / steps / stateShare));
  const options = { ...outer.options, interval };
  const inner = new Context(body, outer.ops, units, options, outer.net, steps);
  inner.countReaders();
  for (const [row, sequence] of loop.rows) {
    if (!inner.readers.has(row)) continue;
    const elements = elementsOfValue(inner.graph.values.get(row) as Value);
    inner.provide(row, perStep(outer, plainValue(outer, sequence), steps, elements));
  }
  const waiting: Waiting[] = [];
  for (const [state, { initial, next }] of loop.states)
    waiting.push(begin(outer, inner, state, initial, next, steps));
  lowerBody(inner);
  outer.net.from(value.origin);
  for (const { node, layout, next } of waiting) {
    const stream = plainValue(inner, next);
    const back = outer.net.convert(stream, layout.vector, layout.lanes);
    outer.net.connect(allSteps(back, steps), { node, port: 0 });
  }
  // In the order of the body's outputs, which is that of its readers.
  for (const { id, of, step } of loop.results) {
    const stream = plainValue(inner, of);
    outer.net.from(value.origin);
    outer.provide(
      id,
      step === undefined ? allSteps(stream, steps) : picked(outer, stream, steps, step),
    );
  }
}

/** The part of a step in which what follows the products passes: a cell has up to four gates, whose last comes last. */
const stateShare = 4;

function elementsOfValue({ shape }: Value): number {
  return sizeOf(shape);
}

/** A sequence as the row of one step; the rows follow one another. */
function perStep(context: Context, stream: Stream, steps: number, elements: number): Stream {
  const { vectors, vector, lanes } = stream.layout;
  if (vectors % steps === 0)
    return { ...stream, layout: { vectors: vectors / steps, vector, lanes } };
  const cut = context.net.convert(stream, elements, dividingLanes(elements, lanes));
  return { ...cut, layout: { ...cut.layout, vectors: 1 } };
}

/** The same of all steps, one after the other. */
function allSteps(stream: Stream, steps: number): Stream {
  const { layout } = stream;
  return { ...stream, layout: { ...layout, vectors: layout.vectors * steps } };
}

function begin(
  outer: Context,
  inner: Context,
  state: ValueId,
  initial: Value,
  next: ValueId,
  steps: number,
): Waiting {
  const value = inner.graph.values.get(state) as Value;
  const { width } = quantOf(value).format;
  const vector = value.shape.at(-1) ?? 1;
  const vectors = sizeOf(value.shape) / vector;
  const lanes = lanesOfState(inner, state, next, { vectors, vector });
  const layout = { vectors, vector, lanes };
  const given =
    initial.kind === "const"
      ? undefined
      : outer.net.convert(plainValue(outer, initial.id), vector, lanes);
  const codes = initial.kind === "const" ? initial.data.data : new Float64Array();
  const isWords = codes.some((code) => code !== 0);
  const name = outer.net.nextName("state");
  const STATE = isWords ? `${name}_initial.hex` : "";
  if (isWords)
    outer.net.remember(() => {
      const words = Array.from({ length: beatsOf(layout) }, (_, beat) =>
        packWord(
          Array.from({ length: lanes }, (__, lane) => BigInt(codes[elementAt(layout, beat, lane)])),
          width,
        ),
      );
      return [[STATE, memoryImage(words, lanes * width)]];
    });
  outer.net.from(value.origin);
  const params = {
    WIDTH: lanes * width,
    BEATS: beatsOf(layout),
    STEPS: steps,
    INIT: given !== undefined ? initCode.stream : isWords ? initCode.words : initCode.zeros,
    INPUTS: given === undefined ? 1 : 2,
    STATE,
  };
  const ports = { inputs: params.INPUTS, outputs: 1 };
  const title = `a state of ${elementsOf(layout)} numbers, ${steps} steps`;
  const node = outer.net.module("n2f_loop", "state", title, params, ports);
  if (given !== undefined) outer.net.connect(given, { node, port: 1 });
  inner.provide(state, outer.net.output(node, layout, width));
  return { node, layout, next };
}

/** Lanes of a state: as what makes it gives them, or more of them where it only goes into a product. */
function lanesOfState(
  inner: Context,
  state: ValueId,
  next: ValueId,
  { vectors, vector }: Omit<Layout, "lanes">,
): number {
  const maker = inner.units.get(next);
  const cycles = maker?.kind === "region" ? inner.cyclesFor(maker) : inner.options.interval;
  const made = lanesForRate(vectors, vector, cycles);
  const readers = [...new Set(inner.units.values())].filter((unit) =>
    readsOf(unit).includes(state),
  );
  const [reader] = readers;
  if (readers.length !== 1 || reader.kind !== "engine") return made;
  const { simd } = inner.options.point(reader.layer);
  return simd > made && vector % simd === 0 ? simd : made;
}

/** What one step leaves; the others are dropped. */
function picked(context: Context, stream: Stream, steps: number, step: number): Stream {
  const { layout, widthBits } = stream;
  const params = {
    ...{ WIDTH: layout.lanes * widthBits, H: steps, W: 1, B: beatsOf(layout) },
    ...{ Y0: step, SY: 1, OH: 1, X0: 0, SX: 1, OW: 1 },
  };
  const title = `step ${step} of ${steps}`;
  const node = context.net.module("n2f_slice", "step", title, params);
  context.net.connect(allSteps(stream, steps), { node, port: 0 });
  return context.net.output(node, layout, widthBits);
}
