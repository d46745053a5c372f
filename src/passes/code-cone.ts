import type { Attrs, OpValue, Registry, Value, ValueId } from "../ir/index.ts";
import { makeTensor, sameShape, sizeOf, type Tensor } from "../tensor/index.ts";

/** Integers from `lo` to `hi`, both included. */
export interface CodeSpan {
  readonly lo: number;
  readonly hi: number;
}

/** What a graph in the making knows of its values. */
type Find = (id: ValueId) => Value;

/** Operators whose result has no other elements than their arguments. */
const moves = new Set(["reshape", "transpose", "slice", "gather", "take", "expand", "identity"]);
const choices = new Set(["max_pool", "reduce_max", "reduce_min", "max", "min", "concat"]);

/** Which integers a value of a quantized model can be; nothing where it is not of one. */
export function codeSpan(value: Value, find: Find): CodeSpan | undefined {
  if (value.dtype !== "int" || value.kind === "const") return undefined;
  if (value.kind === "input") {
    const { integers } = value;
    if (integers === undefined || integers.frac !== 0) return undefined;
    const { signed, width } = integers;
    return signed
      ? { lo: -(2 ** (width - 1)), hi: 2 ** (width - 1) - 1 }
      : { lo: 0, hi: 2 ** width - 1 };
  }
  const { op, attrs, args } = value;
  if (op === "clip" && Number.isFinite((attrs["max"] as number) - (attrs["min"] as number))) {
    return { lo: attrs["min"] as number, hi: attrs["max"] as number };
  }
  if (op === "quantize") return { lo: attrs["lo"] as number, hi: attrs["hi"] as number };
  if (op === "code_table") {
    const values = attrs["values"] as readonly number[];
    return values.reduce((span, x) => union(span, { lo: x, hi: x }), {
      lo: values[0],
      hi: values[0],
    });
  }
  if (moves.has(op) || (choices.has(op) && args.length === 1)) {
    return codeSpan(find(args[0]), find);
  }
  if (!choices.has(op)) return undefined;
  const spans = args.map((arg) => codeSpan(find(arg), find));
  return spans.reduce((a, b) => (a && b ? union(a, b) : undefined));
}

function union(a: CodeSpan, b: CodeSpan): CodeSpan {
  return { lo: Math.min(a.lo, b.lo), hi: Math.max(a.hi, b.hi) };
}

/** A function of one integer: operators element by element between one value and another. */
export interface CodeCone {
  /** The integers that everything is made of. */
  readonly root: Value;
  readonly span: CodeSpan;
  /** The operators, each after its arguments; the last makes the result. */
  readonly steps: readonly OpValue[];
}

/** Operators of numbers one by one, besides those that are tables. */
const elementwise = new Set([
  "add",
  "clip",
  "div",
  "floor",
  "identity",
  "is_positive",
  "mask",
  "max",
  "min",
  "mul",
  "prelu",
  "relu",
  "round",
  "sign",
  "square",
  "sub",
  "truncate",
]);

function isElementwise(op: string, ops: Registry): boolean {
  const known = ops.get(op);
  return elementwise.has(op) || (known?.kind === "primitive" && known.indexDomain !== undefined);
}

const mostSteps = 100;
const mostCodes = 2 ** 16;

/** What a value is a function of, where that is one integer of at most 16 bits and single constants. */
export function coneOf(id: ValueId, find: Find, ops: Registry): CodeCone | undefined {
  const steps = new Map<ValueId, OpValue>();
  let source: { readonly root: Value; readonly span: CodeSpan } | undefined;
  const visit = (value: Value): boolean => {
    if (value.kind === "const") return sizeOf(value.shape) === 1;
    if (steps.has(value.id)) return true;
    if (source !== undefined && source.root.id === value.id) return true;
    const span = codeSpan(value, find);
    if (span !== undefined) {
      if (source !== undefined || span.hi - span.lo >= mostCodes) return false;
      source = { root: value, span };
      return true;
    }
    if (value.kind === "input" || !isElementwise(value.op, ops)) return false;
    if (steps.size >= mostSteps || !value.args.every((arg) => visit(find(arg)))) return false;
    steps.set(value.id, value);
    return true;
  };
  if (!visit(find(id)) || source === undefined) return undefined;
  const { root, span } = source;
  const isUnmoved = [...steps.values()].every(({ shape }) => sameShape(shape, root.shape));
  return isUnmoved ? { root, span, steps: [...steps.values()] } : undefined;
}

/** One after the other, as a tensor. */
export function codesOf({ lo, hi }: CodeSpan): Tensor {
  return makeTensor(
    [hi - lo + 1],
    Float64Array.from({ length: hi - lo + 1 }, (_, i) => lo + i),
    "int",
  );
}

/**
 * What a function of one integer gives for each.
 * @param rounding applied to every real number on the way: `Math.fround` for what a processor computes
 */
export function evaluateCone(
  { root, span, steps }: CodeCone,
  find: Find,
  ops: Registry,
  rounding: (x: number) => number,
): Tensor {
  const rounded = (tensor: Tensor): Tensor =>
    tensor.dtype === "float" ? { ...tensor, data: tensor.data.map(rounding) } : tensor;
  const known = new Map<ValueId, Tensor>([[root.id, codesOf(span)]]);
  let last = known.get(root.id) as Tensor;
  const argument = (id: ValueId): Tensor => {
    const done = known.get(id);
    if (done !== undefined) return done;
    const value = find(id);
    if (value.kind !== "const") throw new Error(`${id} is not part of the function`);
    return rounded({ ...value.data, shape: [] });
  };
  for (const { id, op, attrs, args } of steps) {
    last = rounded(apply(ops, op, args.map(argument), attrs));
    known.set(id, last);
  }
  return last;
}

export function apply(ops: Registry, op: string, args: readonly Tensor[], attrs: Attrs): Tensor {
  const known = ops.get(op);
  if (known === undefined) throw new Error(`no operator ${op}`);
  return known.float(args, attrs);
}
