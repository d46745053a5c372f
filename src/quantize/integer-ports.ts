import { type CodeScale, makeFormat, type Precision } from "../fixed/index.ts";
import {
  type Graph,
  getValue,
  type InputValue,
  type OpValue,
  usersOf,
  type ValueId,
} from "../ir/index.ts";

/** How the host makes integers of an input, so that the kernel need not. */
export interface HostRule {
  readonly precision: Precision;
  /** Absent where the user has the integers already. */
  readonly scale?: CodeScale;
  /** Values of the graph that are then the input itself. */
  readonly readers: readonly ValueId[];
}

const roundings = {
  half_even: "RND_CONV",
  half_up: "RND",
  floor: "TRN",
  zero: "TRN_ZERO",
} as const;

/**
 * The rule of an input that only one way of quantization reads, or that is integers by the model's own word.
 * Nothing where the kernel has to do it.
 */
export function hostRule(graph: Graph, input: InputValue): HostRule | undefined {
  if (input.integers !== undefined) {
    return { precision: { format: input.integers, rounding: "RND", overflow: "SAT" }, readers: [] };
  }
  const readers = usersOf(graph).get(input.id) ?? [];
  const [first] = readers;
  if (first?.op !== "quantize" || graph.outputs.some(({ value }) => value === input.id)) {
    return undefined;
  }
  const numbers = JSON.stringify(first.attrs);
  if (readers.some(({ op, attrs }) => op !== "quantize" || JSON.stringify(attrs) !== numbers)) {
    return undefined;
  }
  return ruleOf(first.attrs, readers);
}

function ruleOf(attrs: OpValue["attrs"], readers: readonly OpValue[]): HostRule | undefined {
  const lists = ["mul", "add", "div", "zero_point"].map((key) => attrs[key] as readonly number[]);
  if (lists.some((list) => list.length > 1)) return undefined;
  const [mul, add, div, zeroPoint] = lists.map(([one]) => one);
  const rounding = roundings[attrs["rounding"] as keyof typeof roundings];
  if (rounding === undefined || !(mul > 0)) return undefined;
  const [lo, hi] = [attrs["lo"] as number, attrs["hi"] as number];
  const overflow = lo < 0 && lo === -hi ? "SAT_SYM" : "SAT";
  const width = Math.log2(hi + 1) + (lo < 0 ? 1 : 0);
  const isFormat = lo === 0 || lo === -hi || lo === -hi - 1;
  if (!Number.isInteger(width) || width < 1 || width > 32 || !isFormat) return undefined;
  const offset = add / div;
  return {
    precision: { format: makeFormat(lo < 0, width, 0), rounding, overflow },
    scale: { scale: div / mul, zeroPoint, ...(offset !== 0 && { offset }) },
    readers: readers.map(({ id }) => id),
  };
}

/** An output that is integers times a scale, perhaps moved: which integers, and how they are to be read. */
export function integerOutput(
  graph: Graph,
  output: ValueId,
): { readonly value: ValueId; readonly scale: CodeScale } | undefined {
  let [scale, offset] = [1, 0];
  let value = getValue(graph, output);
  while (value.kind === "op" && value.dtype === "float") {
    const args = value.args.map((id) => getValue(graph, id));
    const constant = args.find((arg) => arg.kind === "const");
    const [other] = args.filter((arg) => arg.kind !== "const");
    if (args.length !== 2 || constant?.kind !== "const" || other === undefined) return undefined;
    const { data } = constant.data;
    if (data.some((number) => number !== data[0])) return undefined;
    if (value.op === "mul") scale *= data[0];
    else if (value.op === "add" || (value.op === "sub" && args[1] === constant)) {
      offset += (value.op === "sub" ? -1 : 1) * scale * data[0];
    } else return undefined;
    value = other;
  }
  if (value.kind !== "op" || value.dtype !== "int" || value.id === output || !(scale > 0)) {
    return undefined;
  }
  return {
    value: value.id,
    scale: { scale, zeroPoint: 0, ...(offset !== 0 && { offset: -offset / scale }) },
  };
}
