import type { GatherKernel } from "../../ir/index.ts";
import { binaryVec } from "./arithmetic.ts";
import { elementContext, type StepCode, type StepContext, sourceOf } from "./context.ts";
import { identityIndex } from "./nest.ts";
import { Chain } from "./pointwise.ts";
import { type Group, type Node, resultOf } from "./program.ts";
import {
  openSource,
  type Source,
  type StoredStream,
  storedStream,
  storeTo,
  streamsOf,
} from "./source.ts";
import { settle, type Vec } from "./vec.ts";
import { emitWalk, planWalk } from "./walk.ts";
import type { FunctionBuilder } from "./wasm/index.ts";

/** One loop over elements: operands from memory, a function of them, a chain, the result to memory. */
interface ElementLoop {
  readonly operands: readonly Source[];
  readonly first: (f: FunctionBuilder, operands: readonly Vec[]) => Vec;
  readonly chain: Chain;
  readonly target: StoredStream;
}

/** A group whose root is neither a product nor a reduction. */
export function planElementwise(context: StepContext, group: Group): StepCode {
  const { root } = group;
  const { kernel } = root;
  if (kernel.kind === "gather" && isJoin(kernel)) return planJoin(context, group, kernel);
  const result = resultOf(group);
  const target = storedStream(
    context.stored(result.id),
    context.stride,
    identityIndex(result.size),
  );
  const { operands, first, chained } = readRoot(context, root);
  const nodes = chained ? [root, ...group.chain] : group.chain;
  const chain = new Chain(nodes, elementContext(context));
  return elementLoop(context, result.size, { operands, first, chain, target });
}

/** The operands of a root; where all but one are constants it is the first of its chain. */
function readRoot(
  context: StepContext,
  { kernel, args, size, interval }: Node,
): Pick<ElementLoop, "operands" | "first"> & { readonly chained: boolean } {
  const source = (arg: number, index?: Int32Array) => sourceOf(context, args[arg], index, size);
  if (kernel.kind === "binary") {
    const { a, b, fn } = kernel;
    const isConstant = [a, b].map(({ arg }) => context.constants.has(args[arg]));
    if (isConstant[0] !== isConstant[1]) {
      const own = isConstant[0] ? b : a;
      return { operands: [source(own.arg, own.index)], first: (_, [x]) => x, chained: true };
    }
    return {
      operands: [source(a.arg, a.index), source(b.arg, b.index)],
      first: (f, [x, y]) => binaryVec(f, fn, [x, a.shift], [y, b.shift], interval),
      chained: false,
    };
  }
  if (kernel.kind === "gather") {
    const first = (f: FunctionBuilder, [x]: readonly Vec[]) => settle(f, x, interval);
    return { operands: [source(0, kernel.index)], first, chained: false };
  }
  return { operands: [source(0)], first: (_, [x]) => x, chained: true };
}

/** Whether a gather takes from several values, or fills. */
function isJoin({ source, index }: GatherKernel): boolean {
  return source !== undefined || index?.some((from) => from < 0) === true;
}

/** A gather of several values, or with filling: a loop for each of them, and each with the chain. */
function planJoin(context: StepContext, group: Group, kernel: GatherKernel): StepCode {
  const { args, size, interval } = group.root;
  const { source, index, fill = 0n } = kernel;
  const stored = context.stored(resultOf(group).id);
  const isFill = (i: number) => index !== undefined && index[i] < 0;
  const loop = (to: Int32Array, operand: Source) =>
    elementLoop(context, to.length, {
      operands: [operand],
      first: (f, [x]) => settle(f, x, interval),
      chain: new Chain(group.chain, elementContext(context, to, size)),
      target: storedStream(stored, context.stride, to),
    });
  const loops = args.flatMap((arg, a) => {
    const to = identityIndex(size).filter((i) => !isFill(i) && (source?.[i] ?? 0) === a);
    if (to.length === 0) return [];
    const read = index === undefined ? to : to.map((i) => index[i]);
    return loop(to, sourceOf(context, arg, read, size));
  });
  const filled = identityIndex(size).filter(isFill);
  if (filled.length > 0) loops.push(loop(filled, { kind: "uniform", value: fill }));
  return (f, vectors) => {
    for (const emit of loops) emit(f, vectors);
  };
}

/** Copies a constant to memory. */
export function planSpread(context: StepContext, id: Node["id"]): StepCode {
  const stored = context.stored(id);
  const { size } = stored.buffer;
  return elementLoop(context, size, {
    operands: [sourceOf(context, id, undefined, size)],
    first: (_, [x]) => x,
    chain: new Chain([], elementContext(context)),
    target: storedStream(stored, context.stride, identityIndex(size)),
  });
}

function elementLoop(context: StepContext, size: number, loop: ElementLoop): StepCode {
  const { operands, first, chain, target } = loop;
  const streams = streamsOf([target, ...operands, ...chain.sources]);
  const walk = planWalk(context.pool, size, streams);
  return (f, vectors) =>
    emitWalk(f, walk, (places) => {
      const readers = operands.map((operand) => openSource(f, operand, places));
      const apply = chain.open(f, places);
      for (let v = 0; v < vectors; v++) {
        f.scope(() => {
          const vec = first(
            f,
            readers.map((read) => read(v)),
          );
          storeTo(f, target, places, v, apply(vec));
        });
      }
    });
}
