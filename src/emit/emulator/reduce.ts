import { unreachable } from "../../base/index.ts";
import { type ReduceKernel, reduceElement } from "../../ir/index.ts";
import { addVecs, compareVecs, extremeVec, selectVec, word64 } from "./arithmetic.ts";
import { elementContext, type StepCode, type StepContext } from "./context.ts";
import { type Interval, laneFor } from "./interval.ts";
import { identityIndex } from "./nest.ts";
import { Chain } from "./pointwise.ts";
import { type Group, resultOf } from "./program.ts";
import { placeOf, type StoredStream, storedStream, storeTo, streamsOf } from "./source.ts";
import { planSteps, type StepLoop } from "./value-steps.ts";
import {
  constantVec,
  type Lane,
  loadVec,
  makeVec,
  settle,
  toLane,
  type Vec,
  vecBytes,
} from "./vec.ts";
import { emitWalk, type Place, type Places, planWalk } from "./walk.ts";
import type { FunctionBuilder, Local } from "./wasm/index.ts";

/** out[o, n] = fn over k of x[o, k, n], then the chain. */
export function planReduce(context: StepContext, group: Group, kernel: ReduceKernel): StepCode {
  const { inner, outer, length } = kernel;
  const { root } = group;
  const size = outer * inner;
  const first = identityIndex(size).map((i) => reduceElement(kernel, i, 0));
  const x = storedStream(context.stored(root.args[0]), context.stride, first);
  // From the first element on; it starts the result.
  const further = identityIndex(length - 1).map((k) => reduceElement(kernel, 0, k + 1) - first[0]);
  const steps = planSteps(context.pool, further, x.elementBytes);
  const target = storedStream(
    context.stored(resultOf(group).id),
    context.stride,
    identityIndex(size),
  );
  const chain = new Chain(group.chain, elementContext(context));
  const walk = planWalk(context.pool, size, streamsOf([target, x, ...chain.sources]));
  return (f, vectors) =>
    emitWalk(f, walk, (places) => {
      const results = reduceElements(f, kernel, root.interval, x, steps, places, vectors);
      const apply = chain.open(f, places);
      results.forEach((vec, v) => {
        storeTo(f, target, places, v, apply(settle(f, vec, root.interval)));
      });
    });
}

/** Registers of one reduction. */
interface Accumulator {
  readonly parts: readonly Local<"v128">[];
  /** Position of the extreme value so far, where that is asked for. */
  readonly position: readonly Local<"v128">[];
}

/** Takes the first element, then goes through the others. */
function reduceElements(
  f: FunctionBuilder,
  kernel: ReduceKernel,
  proven: Interval,
  x: StoredStream,
  steps: StepLoop,
  places: Places,
  vectors: number,
): Vec[] {
  const { fn } = kernel;
  // A sum is right modulo its own lanes; extremes are compared in those of the operand.
  const lane: Lane = fn === "sum" ? laneFor(proven) : x.lane;
  const isPosition = fn === "argmax" || fn === "argmin";
  const start = placeOf(f, x, places);
  const read = ({ pointer, offset }: Place, v: number): Vec =>
    toLane(f, loadVec(f, pointer, offset + v * vecBytes(x.lane), x.lane, x.interval), lane);

  const all = Array.from({ length: vectors }, (_, v): Accumulator => {
    const first = read(start, v);
    const parts = first.parts.map((part) => f.bind(part));
    const position = isPosition ? constantVec(0n, lane).parts.map((part) => f.bind(part)) : [];
    return { parts, position };
  });
  const k = isPosition ? constantVec(0n, lane).parts.map((part) => f.bind(part)) : [];
  steps.emit(f, start, 1, ([here]) => {
    if (isPosition) {
      const next = addVecs(f, makeVec(lane, k, word64), constantVec(1n, lane), word64);
      assign(f, k, next);
    }
    all.forEach((accumulator, v) => {
      f.scope(() => {
        update(f, kernel, lane, accumulator, read(here, v), makeVec(lane, k, word64));
      });
    });
  });
  return all.map(({ parts, position }) => makeVec(lane, isPosition ? position : parts, proven));
}

function update(
  f: FunctionBuilder,
  { fn, last = false }: ReduceKernel,
  lane: Lane,
  { parts, position }: Accumulator,
  x: Vec,
  k: Vec,
): void {
  const best = makeVec(lane, parts, word64);
  switch (fn) {
    case "sum":
      assign(f, parts, addVecs(f, best, x, word64));
      break;
    case "max":
    case "min":
      assign(f, parts, extremeVec(f, fn, best, x, word64));
      break;
    case "argmax":
    case "argmin": {
      const how = fn === "argmax" ? (last ? "ge" : "gt") : last ? "le" : "lt";
      const wins = compareVecs(f, how, x, best);
      const positions = makeVec(lane, position, word64);
      assign(f, position, selectVec(f, wins, k, positions, word64));
      assign(f, parts, selectVec(f, wins, x, best, word64));
      break;
    }
    default:
      unreachable(fn);
  }
}

function assign(f: FunctionBuilder, locals: readonly Local<"v128">[], vec: Vec): void {
  locals.forEach((local, i) => {
    f.set(local, vec.parts[i]);
  });
}
