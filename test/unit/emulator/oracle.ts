import { limit, shiftRound } from "../../../src/fixed/index.ts";
import {
  channelOf,
  type Kernel,
  type KernelWord,
  type MatmulSide,
  type Operand,
} from "../../../src/ir/index.ts";

/** What a kernel means, said once more: slowly, in big integers, one element at a time. */
export function interpret(
  kernel: Kernel,
  args: readonly (readonly bigint[])[],
  size: number,
): bigint[] {
  if (kernel.kind !== "sequence") {
    return Array.from({ length: size }, (_, i) => interpretElement(kernel, args, i));
  }
  const values = [...args];
  for (const step of kernel.steps) {
    values.push(
      interpret(
        step.kernel,
        step.args.map((arg) => values[arg]),
        step.size,
      ),
    );
  }
  return [...values[values.length - 1]];
}

function interpretElement(
  kernel: KernelWord,
  args: readonly (readonly bigint[])[],
  i: number,
): bigint {
  switch (kernel.kind) {
    case "gather":
      if (kernel.index?.[i] === -1) return kernel.fill ?? 0n;
      return args[kernel.source?.[i] ?? 0][kernel.index?.[i] ?? i];
    case "binary": {
      const side = ({ arg, shift, index }: Operand) => args[arg][index?.[i] ?? i] << BigInt(shift);
      const [a, b] = [side(kernel.a), side(kernel.b)];
      if (kernel.fn === "add") return a + b;
      if (kernel.fn === "sub") return a - b;
      if (kernel.fn === "mul") return a * b;
      if (kernel.fn === "max") return a > b ? a : b;
      return a < b ? a : b;
    }
    case "clamp": {
      const x = args[0][i] > kernel.lo ? args[0][i] : kernel.lo;
      return x < kernel.hi ? x : kernel.hi;
    }
    case "requantize": {
      const { shift, rounding, overflow, signed, width } = kernel;
      return limit(shiftRound(args[0][i], shift, rounding), { signed, width, frac: 0 }, overflow);
    }
    case "slope": {
      const x = args[0][i];
      const slope = kernel.slope.length === 1 ? kernel.slope[0] : kernel.slope[i];
      return x < 0n ? x * BigInt(slope) : x << BigInt(kernel.shift);
    }
    case "table":
      return BigInt(kernel.values[Number(args[0][i] - BigInt(kernel.lo))]);
    case "scale": {
      const c = channelOf(kernel, i);
      const sum = args[0][i] * BigInt(kernel.m[c]) + BigInt(kernel.a[c]);
      const y = shiftRound(sum, kernel.shift, kernel.rounding);
      return (y < kernel.lo ? kernel.lo : y > kernel.hi ? kernel.hi : y) + kernel.offset;
    }
    case "threshold": {
      const c = channelOf(kernel, i);
      const u = kernel.falls[c] ? -args[0][i] : args[0][i];
      const own = kernel.thresholds.slice(c * kernel.count, (c + 1) * kernel.count);
      return BigInt(kernel.base[c] + own.filter((threshold) => threshold <= u).length);
    }
    case "reduce": {
      const { fn, length, inner, last, windows } = kernel;
      const o = Math.floor(i / inner);
      const along = Array.from({ length }, (_, k) =>
        windows === undefined
          ? args[0][(o * length + k) * inner + (i % inner)]
          : args[0][windows.starts[i] + windows.steps[k]],
      );
      if (fn === "sum") return along.reduce((a, b) => a + b, 0n);
      const best = along.reduce((a, b) => (fn.endsWith("max") === b > a ? b : a));
      if (!fn.startsWith("arg")) return best;
      return BigInt(last ? along.lastIndexOf(best) : along.indexOf(best));
    }
    case "matmul": {
      const { groups, m, n, k, a, b, out, biasShift = 0, biasOffset } = kernel;
      const place = (side: MatmulSide, g: number, row: number, column: number) =>
        side.offset[g] +
        (side.rows === undefined ? row * side.rowStride : side.rows[row]) +
        (side.columns === undefined ? column * side.columnStride : side.columns[column]);
      for (let at = 0; at < groups * m * n; at++) {
        const [g, row, column] = [Math.floor(at / (m * n)), Math.floor(at / n) % m, at % n];
        if ((out === undefined ? at : place(out, g, row, column)) !== i) continue;
        const first = biasOffset === undefined ? 0 : biasOffset[g];
        let sum = args.length > 2 ? args[2][first + column] << BigInt(biasShift) : 0n;
        for (let j = 0; j < k; j++) {
          sum += args[0][place(a, g, row, j)] * args[1][place(b, g, j, column)];
        }
        return sum;
      }
      throw new Error(`no product stands at ${i}`);
    }
  }
}
