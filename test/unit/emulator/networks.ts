import type { ContainerType, PortTensor } from "../../../src/artifact/manifest.ts";
import { emitEmulator } from "../../../src/emit/emulator/index.ts";
import {
  containerBytes,
  type Format,
  limit,
  makeFormat,
  maxCode,
  minCode,
  shiftRound,
} from "../../../src/fixed/index.ts";
import {
  type Graph,
  type Kernel,
  type KernelWord,
  type Op,
  productElement,
  Ranges,
  type Registry,
  sideElement,
  type Value,
  type ValueId,
  valueId,
} from "../../../src/ir/index.ts";
import { interpret } from "./oracle.ts";

export type Interval = readonly [bigint, bigint];

/** A value of a test network. */
export interface Handle {
  readonly id: ValueId;
  readonly size: number;
  readonly ranges: Ranges;
}

/**
 * Builds quantized graphs of bare kernels: the operator `kernel` answers with the kernel that its
 * attribute counts. Ranges are proven here, by the ends of intervals.
 */
export class Network {
  readonly #kernels: Kernel[] = [];
  readonly #values = new Map<ValueId, Value>();
  readonly #constants = new Map<ValueId, readonly bigint[]>();
  readonly #outputs: Handle[] = [];

  input(size: number, format: Format, ranges: Ranges = Ranges.ofFormat(format)): Handle {
    const id = this.#newId("input");
    const quant = { format, ranges };
    this.#values.set(id, { kind: "input", ...common(id, size), quant });
    return { id, size, ranges };
  }

  constant(codes: readonly number[]): Handle {
    const id = this.#newId("const");
    const ranges = Ranges.each(codes.length, (i) => [BigInt(codes[i]), BigInt(codes[i])]);
    const data = {
      shape: [codes.length],
      dtype: "int" as const,
      data: Float64Array.from(codes),
    };
    const quant = { format: formatOf(ranges.hull()), ranges };
    this.#values.set(id, { kind: "const", ...common(id, codes.length), data, quant });
    this.#constants.set(id, codes.map(BigInt));
    return { id, size: codes.length, ranges };
  }

  /** Applies a kernel. @throws N2F_FORMAT_RANGE where the result needs more than 64 bits */
  apply(kernel: Kernel, args: readonly Handle[], size: number): Handle {
    const intervals = kernelIntervals(kernel, args, size);
    const needed = formatOf(hull(intervals.flat()));
    const format =
      kernel.kind === "requantize"
        ? { signed: kernel.signed, width: kernel.width, frac: 0 }
        : needed;
    const ranges = Ranges.each(size, (i) => intervals[i]);
    const id = this.#newId(kernel.kind);
    this.#values.set(id, {
      kind: "op",
      ...common(id, size),
      quant: { format, ranges },
      op: "kernel",
      attrs: { at: this.#kernels.push(kernel) - 1 },
      args: args.map((arg) => arg.id),
    });
    return { id, size, ranges };
  }

  output(value: Handle): void {
    this.#outputs.push(value);
  }

  get graph(): Graph {
    const outputs = this.#outputs.map(({ id }) => ({ name: id, value: id }));
    return { name: "test", values: this.#values, outputs };
  }

  get ops(): Registry {
    const op = {
      kind: "primitive",
      name: "kernel",
      kernel: (_args: unknown, { at }: { at: number }) => this.#kernels[at],
    };
    return new Map([["kernel", op as unknown as Op]]);
  }

  /** Ports in the layout of the manifest. */
  get ports(): { inputs: PortTensor[]; outputs: PortTensor[] } {
    const inputs = [...this.#values.values()].filter((value) => value.kind === "input");
    const outputs = this.#outputs.map(({ id }) => this.#values.get(id) as Value);
    return { inputs: portsOf(inputs), outputs: portsOf(outputs) };
  }

  emit(): Uint8Array {
    const { inputs, outputs } = this.ports;
    return emitEmulator(this.graph, this.ops, inputs, outputs);
  }

  /** All outputs of one sample, one after the other. */
  interpret(inputs: readonly (readonly bigint[])[]): bigint[] {
    const codes = new Map<ValueId, readonly bigint[]>(this.#constants);
    let next = 0;
    for (const value of this.#values.values()) {
      if (value.kind === "input") codes.set(value.id, inputs[next++]);
      if (value.kind !== "op") continue;
      const args = value.args.map((id) => codes.get(id) as readonly bigint[]);
      const kernel = this.#kernels[value.attrs["at"] as number];
      codes.set(value.id, interpret(kernel, args, value.shape[0]));
    }
    return this.#outputs.flatMap(({ id }) => codes.get(id) as readonly bigint[]);
  }

  #newId(kind: string): ValueId {
    return valueId(`${kind}${this.#values.size}`);
  }
}

/** The narrowest format of an interval. @throws N2F_FORMAT_RANGE beyond 64 bits */
export function formatOf([lo, hi]: Interval): Format {
  const bits = (x: bigint): number => (x === 0n ? 0 : x.toString(2).length);
  if (lo >= 0n) return makeFormat(false, Math.max(1, bits(hi)), 0);
  return makeFormat(true, Math.max(bits(-lo - 1n), bits(hi < 0n ? 0n : hi)) + 1, 0);
}

function common(id: ValueId, size: number) {
  return { id, shape: [size], dtype: "int" as const, origin: { node: id, type: "Test" } };
}

function portsOf(values: readonly Value[]): PortTensor[] {
  let offsetBytes = 0;
  return values.map((value) => {
    const { format } = value.quant as { format: Format };
    const elementBytes = containerBytes(format);
    const sizeBytes = elementBytes * value.shape[0];
    const port: PortTensor = {
      name: value.id,
      shape: value.shape,
      format,
      rounding: "RND",
      overflow: "SAT",
      container: `${format.signed ? "" : "U"}INT${8 * elementBytes}` as ContainerType,
      elementBytes,
      offsetBytes,
      sizeBytes,
      meaning: "integer",
    };
    offsetBytes += sizeBytes;
    return port;
  });
}

/** The interval of each element of a result. */
function kernelIntervals(kernel: Kernel, args: readonly Handle[], size: number): Interval[] {
  if (kernel.kind !== "sequence") {
    return Array.from({ length: size }, (_, i) => wordInterval(kernel, args, i));
  }
  const values = [...args];
  for (const step of kernel.steps) {
    const own = step.args.map((arg) => values[arg]);
    const intervals = kernelIntervals(step.kernel, own, step.size);
    const ranges = Ranges.each(step.size, (i) => intervals[i]);
    values.push({ id: valueId("step"), size: step.size, ranges });
  }
  const { ranges } = values[values.length - 1];
  return Array.from({ length: size }, (_, i) => [ranges.lo(i), ranges.hi(i)]);
}

function wordInterval(kernel: KernelWord, args: readonly Handle[], i: number): Interval {
  const of = (arg: number, element: number): Interval => [
    args[arg].ranges.lo(element),
    args[arg].ranges.hi(element),
  ];
  switch (kernel.kind) {
    case "gather":
      if (kernel.index?.[i] === -1) return [kernel.fill ?? 0n, kernel.fill ?? 0n];
      return of(kernel.source?.[i] ?? 0, kernel.index?.[i] ?? i);
    case "binary": {
      const [a, b] = [kernel.a, kernel.b].map(({ arg, index, shift }) =>
        of(arg, index?.[i] ?? i).map((code) => code << BigInt(shift)),
      );
      const scalar = { ...kernel, a: { arg: 0, shift: 0 }, b: { arg: 1, shift: 0 } };
      return hull(a.flatMap((x) => b.map((y) => interpret(scalar, [[x], [y]], 1)[0])));
    }
    case "clamp":
      return hull(of(0, i).map((x) => interpret(kernel, [[x]], 1)[0]));
    case "requantize": {
      const { shift, rounding, overflow, signed, width } = kernel;
      const format = { signed, width, frac: 0 };
      const rounded = of(0, i).map((x) => shiftRound(x, shift, rounding));
      const fits = rounded.every((x) => limit(x, format, "SAT") === x);
      if (overflow === "WRAP" && !fits) return [minCode(format), maxCode(format)];
      return hull(rounded.map((x) => limit(x, format, overflow)));
    }
    case "slope": {
      const [lo, hi] = of(0, i);
      const turning = [-1n, 0n].filter((x) => x >= lo && x <= hi);
      const slope = kernel.slope.length === 1 ? kernel.slope : kernel.slope.slice(i, i + 1);
      return hull([lo, hi, ...turning].map((x) => interpret({ ...kernel, slope }, [[x]], 1)[0]));
    }
    case "table": {
      const [lo, hi] = of(0, i).map((x) => Number(x) - kernel.lo);
      return hull(Array.from(kernel.values.slice(lo, hi + 1), BigInt));
    }
    case "scale":
    case "threshold": {
      // Monotone, so the ends tell; the element is put where its channel is.
      return hull(
        of(0, i).map((x) => interpret(kernel, [new Array<bigint>(i + 1).fill(x)], i + 1)[i]),
      );
    }
    case "reduce": {
      if (kernel.fn.startsWith("arg")) return [0n, BigInt(kernel.length - 1)];
      return hull(
        [0, 1].map((end) => {
          const ends = Array.from({ length: args[0].size }, (_, e) => of(0, e)[end]);
          return interpret(kernel, [ends], i + 1)[i];
        }),
      );
    }
    case "matmul": {
      const { groups, m, n, k, a, b, biasOffset, biasShift = 0 } = kernel;
      for (let at = 0; at < groups * m * n; at++) {
        const [g, row, column] = [Math.floor(at / (m * n)), Math.floor(at / n) % m, at % n];
        if (productElement(kernel, g, row, column) !== i) continue;
        const bias = args.length > 2 ? of(2, (biasOffset?.[g] ?? 0) + column) : [0n, 0n];
        let [lo, hi] = bias.map((code) => code << BigInt(biasShift));
        for (let j = 0; j < k; j++) {
          const x = of(0, sideElement(a, g, row, j));
          const y = of(1, sideElement(b, g, j, column));
          const [least, most] = hull(x.flatMap((p) => y.map((q) => p * q)));
          lo += least;
          hi += most;
        }
        return [lo, hi];
      }
      throw new Error(`no product stands at ${i}`);
    }
  }
}

function hull(values: readonly bigint[]): Interval {
  return [values.reduce((a, b) => (a < b ? a : b)), values.reduce((a, b) => (a > b ? a : b))];
}
