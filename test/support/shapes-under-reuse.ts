import { Random } from "../../src/base/index.ts";
import { Builder, type Graph, inputsOf, type ValueId } from "../../src/ir/index.ts";
import { ops } from "../../src/ops/index.ts";
import {
  defaultQuantizeOptions,
  gatherStatistics,
  type QuantizeOptions,
  quantizeGraph,
} from "../../src/quantize/index.ts";
import { makeTensor, type Shape, sizeOf, type Tensor } from "../../src/tensor/index.ts";

/** Writes a float graph in few words. */
export class Sketch {
  readonly build = new Builder(ops);
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  input(name: string, shape: Shape): ValueId {
    return this.build.from({ node: name, type: "Input" }).input(name, { shape, dtype: "float" });
  }

  /** A constant of standard-normal numbers. */
  normal(name: string, shape: Shape): ValueId {
    const numbers = Float64Array.from({ length: sizeOf(shape) }, () => this.#random.normal());
    return this.constant(name, makeTensor(shape, numbers));
  }

  constant(name: string, data: Tensor): ValueId {
    return this.build.from({ node: name, type: "Initializer" }).constant(data, name);
  }

  op(name: string, op: string, args: readonly ValueId[], attrs = {}): ValueId {
    return this.build.from({ node: name, type: op }).op(op, args, attrs, name);
  }

  /** x W + b with random weights. */
  dense(name: string, x: ValueId, n: number): ValueId {
    const { shape } = this.build.value(x);
    const weights = this.normal(`${name}.w`, [shape.at(-1) as number, n]);
    return this.op(name, "matmul", [x, weights, this.normal(`${name}.b`, [n])]);
  }

  graph(name: string, outputs: Readonly<Record<string, ValueId>>): Graph {
    return this.build.graph(
      name,
      Object.entries(outputs).map(([output, value]) => ({ name: output, value })),
    );
  }
}

/** A float graph quantized on seeded standard-normal inputs. */
export function quantized(graph: Graph, options: Partial<QuantizeOptions> = {}): Graph {
  const random = new Random(99);
  const feeds = Array.from(
    { length: 64 },
    () =>
      new Map(
        inputsOf(graph).map(({ id, shape }) => [
          id,
          makeTensor(
            shape,
            Float64Array.from({ length: sizeOf(shape) }, () => random.normal()),
          ),
        ]),
      ),
  );
  const statistics = gatherStatistics(graph, ops, feeds);
  return quantizeGraph(graph, ops, statistics, { ...defaultQuantizeOptions, ...options }).graph;
}

const eightBits = { default: { kind: "width", widthBits: 8 } } as const;

/** Networks whose values have to travel beside folded products, and matrices of odd shapes. */
export const shapesUnderReuse: Readonly<Record<string, () => Graph>> = {
  "a residual sum around two layers": () => {
    const net = new Sketch(1);
    const x = net.input("x", [1, 6]);
    const h = net.op("h", "relu", [net.dense("fc1", x, 5)]);
    const y = net.op("y", "add", [net.dense("fc2", h, 6), x]);
    return quantized(net.graph("residual", { y }), eightBits);
  },
  "two branches, joined": () => {
    const net = new Sketch(2);
    const x = net.input("x", [1, 6]);
    const left = net.op("left", "relu", [net.dense("fc1", x, 4)]);
    const right = net.op("right", "tanh", [net.dense("fc2", x, 3)]);
    const joined = net.op("joined", "concat", [left, right], { axis: 1 });
    return quantized(net.graph("branches", { y: net.dense("fc3", joined, 4) }), eightBits);
  },
  "an output in the middle, and an input as an output": () => {
    const net = new Sketch(3);
    const x = net.input("x", [1, 5]);
    const middle = net.op("middle", "relu", [net.dense("fc1", x, 7)]);
    const y = net.dense("fc2", middle, 3);
    return quantized(net.graph("middle", { middle, y, x }), eightBits);
  },
  "several inputs and outputs, one input late": () => {
    const net = new Sketch(4);
    const [a, b, c] = [net.input("a", [1, 4]), net.input("b", [1, 4]), net.input("c", [1, 3])];
    const sum = net.op("sum", "add", [a, b]);
    const first = net.op("first", "relu", [net.dense("fc1", sum, 3)]);
    const second = net.dense("fc2", net.op("late", "mul", [first, c]), 2);
    return quantized(net.graph("several", { second, first }), eightBits);
  },
  "ten rows at once": () => {
    const net = new Sketch(5);
    const x = net.input("x", [1, 10, 4]);
    const h = net.op("h", "relu", [net.dense("fc1", x, 8)]);
    const y = net.op("y", "reduce_max", [h], { axis: 1, keepdims: false, last: false });
    return quantized(net.graph("rows", { y }), eightBits);
  },
  "columns of zeros": () => {
    const net = new Sketch(6);
    const x = net.input("x", [1, 4]);
    const w = Float64Array.from({ length: 20 }, (_, i) => (i % 5 < 2 ? 0 : (i % 7) - 3));
    const weights = net.constant("w", makeTensor([4, 5], w));
    return quantized(net.graph("zeros", { y: net.op("y", "matmul", [x, weights]) }), eightBits);
  },
  "a matrix of zeros": () => {
    const net = new Sketch(7);
    const x = net.input("x", [1, 4]);
    const weights = net.constant("w", makeTensor([4, 3], new Float64Array(12)));
    const nothing = net.op("nothing", "matmul", [x, weights, net.normal("b", [3])]);
    return quantized(net.graph("nothing", { nothing, y: net.dense("fc", x, 2) }), eightBits);
  },
  "a single element": () => {
    const net = new Sketch(8);
    const x = net.input("x", [1, 1]);
    return quantized(net.graph("single", { y: net.dense("fc", x, 1) }), eightBits);
  },
  "a table's results beside a layer": () => {
    const net = new Sketch(9);
    const x = net.input("x", [1, 4]);
    // Each element reaches another part of the table, so each has an interval of its own.
    const scale = net.constant("scale", makeTensor([4], [0.02, 0.2, 1, 4]));
    const small = net.op("small", "tanh", [net.op("scaled", "mul", [x, scale])]);
    const y = net.op("y", "add", [net.dense("fc", x, 4), small]);
    const top = net.op("top", "argmax", [small], { axis: 1, keepdims: false, last: false });
    return quantized(net.graph("table", { y, top, z: net.dense("fc2", y, 2) }), eightBits);
  },
};
