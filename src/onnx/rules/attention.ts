import { fail } from "../../base/index.ts";
import { shapeText, sizeOf } from "../../tensor/index.ts";
import { Formula } from "./formula.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";

/** [N, S, heads * size] as [N, heads, S, size]; what has four axes stays. */
function byHeads(f: Formula, x: Operand, heads: () => number): Operand {
  if (x.shape.length === 4) return x;
  const [n, s, width] = x.shape;
  const count = x.shape.length === 3 ? heads() : 1;
  if (x.shape.length !== 3 || !(count >= 1) || width % count !== 0)
    fail("N2F_OP_ATTRIBUTE", `${shapeText(x.shape)} does not fall into ${count} heads`);
  return f.transpose(f.reshape(x, [n, s, count, width / count]), [0, 2, 1, 3]);
}

/** Heads of keys and values serve several heads of queries each: head h of the result is h / repeats. */
function repeatHeads(f: Formula, x: Operand, heads: number): Operand {
  const [n, own, s, size] = x.shape;
  if (heads % own !== 0) fail("N2F_OP_ATTRIBUTE", `${heads} heads cannot share ${own} heads`);
  const apart = f.reshape(x, [n, own, 1, s, size]);
  return f.reshape(f.expand(apart, [n, own, heads / own, s, size]), [n, heads, s, size]);
}

/** What is below this in a mask that is added takes a score out of the running. */
const farBelow = -1e4;

/** How far below the least score those come that are masked: exp(-64) is less than any table holds. */
const maskedDistance = 64;

/** What is added to scores, and which of them may be seen. */
interface Mask {
  readonly bias: Operand | undefined;
  /** Truth values. */
  readonly seen: Operand | undefined;
}

/** Splits a mask of the model: constant minus infinities become truth values. */
function readMask(f: Formula, given: Operand | undefined): Mask {
  if (given === undefined) return { bias: undefined, seen: undefined };
  if (given.dtype === "bool") return { bias: undefined, seen: given };
  if (given.kind !== "const") return { bias: given, seen: undefined };
  const { data, shape } = given.data;
  const isFar = data.some((value) => value <= farBelow);
  const finite = data.map((value) => (value <= farBelow ? 0 : value));
  return {
    bias: finite.every((value) => value === 0) ? undefined : f.constant(finite, shape),
    seen: isFar
      ? f.constant(
          data.map((value) => Number(value > farBelow)),
          shape,
          "bool",
        )
      : undefined,
  };
}

/** Query i sees keys up to i, counted from where the past ends. */
function causal(f: Formula, queries: number, keys: number, past: number): Operand {
  const seen = Array.from({ length: queries * keys }, (_, i) =>
    Number((i % keys) - past <= Math.floor(i / keys)),
  );
  return f.constant(seen, [queries, keys], "bool");
}

const both = (f: Formula, a: Operand | undefined, b: Operand | undefined): Operand | undefined =>
  a === undefined || b === undefined ? (a ?? b) : f.min(a, b);

/** Scores that may not be seen come below all others. */
function hide(f: Formula, scores: Operand, seen: Operand | undefined): Operand {
  if (seen === undefined) return scores;
  const least = f.sub(f.reduce("reduce_min", scores, [scores.shape.length - 1]), maskedDistance);
  return f.choose(seen, scores, least);
}

/** Whether a constant mask leaves some query without any key: its result is zero. */
function hasBlindRow(seen: Operand): boolean {
  if (seen.kind !== "const") return false;
  const { data, shape } = seen.data;
  const keys = shape.at(-1) ?? 1;
  const rows = Array.from({ length: data.length / keys }, (_, i) => i * keys);
  return rows.some((at) => data.subarray(at, at + keys).every((value) => value === 0));
}

/** A mask for fewer keys than there are hides the rest. */
function padMask(f: Formula, given: Operand | undefined, keys: number): Mask {
  const length = given?.shape.at(-1) ?? 1;
  if (given === undefined || length === 1 || length >= keys) return readMask(f, given);
  const missing = f.zeros(given.shape.with(-1, keys - length), given.dtype);
  const { bias, seen } = readMask(f, f.concat([given, missing], given.shape.length - 1));
  const ones = Array.from({ length: keys }, (_, i) => Number(i < length));
  return { bias, seen: both(f, seen, f.constant(ones, [keys], "bool")) };
}

/**
 * softmax(Q K^T * scale + mask) V for each head; past keys and values come before the present ones.
 *
 * @see https://onnx.ai/onnx/operators/onnx__Attention.html
 */
const attention = defineRule({
  op: "Attention",
  import: (node, context) => {
    const f = new Formula(context);
    const isCausal = node.flag("is_causal", false);
    const softcap = node.float("softcap", 0);
    const q = byHeads(f, node.input(0), () => node.int("q_num_heads"));
    const newK = byHeads(f, node.input(1), () => node.int("kv_num_heads"));
    const newV = byHeads(f, node.input(2), () => node.int("kv_num_heads"));
    const [pastK, pastV] = [node.optional(4), node.optional(5)];
    const presentK = pastK === undefined ? newK : f.concat([pastK, newK], 2);
    const presentV = pastV === undefined ? newV : f.concat([pastV, newV], 2);
    const [, heads, queries, size] = q.shape;
    const keys = presentK.shape[2];
    const k = repeatHeads(f, presentK, heads);
    const v = repeatHeads(f, presentV, heads);
    const scale = node.float("scale", 1 / Math.sqrt(size));
    const products = f.mul(f.matmul(q, f.transpose(k, [0, 1, 3, 2])), scale);
    const mask = padMask(f, node.optional(3), keys);
    const seen = both(
      f,
      both(f, mask.seen, isCausal ? causal(f, queries, keys, pastK?.shape[2] ?? 0) : undefined),
      padding(f, node.optional(6), keys),
    );
    const capped =
      softcap > 0 ? f.mul(f.apply("tanh", f.mul(products, 1 / softcap)), softcap) : products;
    const biased = mask.bias === undefined ? capped : f.add(capped, mask.bias);
    const visible = hide(f, biased, seen);
    const shares = f.apply("softmax", visible, { axis: 3 });
    const weights = seen !== undefined && hasBlindRow(seen) ? f.mask(shares, seen) : shares;
    const y = f.matmul(weights, v);
    const isFlat = node.input(0).shape.length === 3;
    const [n, , , width] = y.shape;
    const joined = isFlat
      ? f.reshape(f.transpose(y, [0, 2, 1, 3]), [n, queries, heads * width])
      : y;
    const stages = [products, capped, visible, weights];
    return [joined, presentK, presentV, stages[node.int("qk_matmul_output_mode", 0)]];
  },
});

/** From opset 24 on: how many keys of each sequence are no padding. */
function padding(f: Formula, lengths: Operand | undefined, keys: number): Operand | undefined {
  if (lengths === undefined) return undefined;
  const positions = f.constant(
    Array.from({ length: keys }, (_, i) => i),
    [1, 1, 1, keys],
    "int",
  );
  return f.greater(f.reshape(lengths, [sizeOf(lengths.shape), 1, 1, 1]), positions);
}

export const attentionRules: readonly Rule[] = [attention];
