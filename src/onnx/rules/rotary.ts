import { fail } from "../../base/index.ts";
import { shapeText, sizeOf } from "../../tensor/index.ts";
import { Formula } from "./formula.ts";
import { defineRule, type Operand, type Rule, unsupported } from "./rule.ts";

/** Rows of the cache at constant positions [N, S], or the cache itself: [N, S, 1, half]. */
function rowsOf(f: Formula, cache: Operand, positions: Operand | undefined): Operand {
  if (positions === undefined) {
    if (cache.shape.length !== 3)
      fail("N2F_OP_ATTRIBUTE", `a cache of shape ${shapeText(cache.shape)} wants positions`);
    const [n, s, half] = cache.shape;
    return f.reshape(cache, [n, s, 1, half]);
  }
  if (positions.kind === "computed") {
    return unsupported(
      "the positions are computed by the network",
      "Export with the positions fixed, so that the angles are constants.",
    );
  }
  const [n, s] = positions.shape;
  const indices = Array.from(positions.data.data);
  const rows = f.apply("gather", cache, { axis: 0, indices });
  return f.reshape(rows, [n, s, 1, cache.shape[1]]);
}

/**
 * Pairs of numbers turned by the angle of their position; pairs stand side by side, or half a head apart.
 *
 * @see https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html
 */
const rotaryEmbedding = defineRule({
  op: "RotaryEmbedding",
  import: (node, context) => {
    const isInterleaved = node.flag("interleaved", false);
    const f = new Formula(context);
    const x = node.input(0);
    const rank = x.shape.length;
    const heads = rank === 4 ? x.shape[1] : node.int("num_heads");
    if ((rank !== 3 && rank !== 4) || !(heads >= 1) || sizeOf(x.shape) === 0)
      fail("N2F_OP_ATTRIBUTE", `${shapeText(x.shape)} has no heads to turn`);
    const s = x.shape[rank - 2];
    const [n, size] = [x.shape[0], rank === 4 ? x.shape[3] : x.shape[2] / heads];
    const turned = node.int("rotary_embedding_dim", 0) || size;
    if (!Number.isInteger(size) || turned % 2 !== 0 || turned > size)
      fail("N2F_OP_ATTRIBUTE", `heads of ${size} numbers cannot be turned in ${turned} of them`);
    // [N, S, heads, size]
    const apart = rank === 4 ? f.transpose(x, [0, 2, 1, 3]) : f.reshape(x, [n, s, heads, size]);
    const half = turned / 2;
    const pairs = f.slice(apart, 3, 0, turned);
    const split = isInterleaved
      ? f.transpose(f.reshape(pairs, [n, s, heads, half, 2]), [0, 1, 2, 4, 3])
      : f.reshape(pairs, [n, s, heads, 2, half]);
    const side = (i: number) => f.reshape(f.slice(split, 3, i, 1), [n, s, heads, half]);
    const [a, b] = [side(0), side(1)];
    const [cos, sin] = [1, 2].map((i) => rowsOf(f, node.input(i), node.optional(3)));
    const real = f.sub(f.mul(a, cos), f.mul(b, sin));
    const imaginary = f.add(f.mul(a, sin), f.mul(b, cos));
    const parts = [real, imaginary].map((part) => f.reshape(part, [n, s, heads, 1, half]));
    const joined = f.concat(parts, 3);
    const flat = f.reshape(isInterleaved ? f.transpose(joined, [0, 1, 2, 4, 3]) : joined, [
      n,
      s,
      heads,
      turned,
    ]);
    const y =
      turned === size ? flat : f.concat([flat, f.slice(apart, 3, turned, size - turned)], 3);
    return rank === 4 ? f.transpose(y, [0, 2, 1, 3]) : f.reshape(y, x.shape);
  },
});

export const rotaryRules: readonly Rule[] = [rotaryEmbedding];
