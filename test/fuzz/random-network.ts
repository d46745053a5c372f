/** Small networks of layers that streams are made of, each a function of its seed. */
import { Random } from "../../src/base/index.ts";
import { sizeOf } from "../../src/tensor/index.ts";
import { ModelWriter } from "../support/model-writer.ts";

/** A value of the network: `[1, C, ...extents]`, or `[1, N]`. */
interface Value {
  readonly name: string;
  readonly shape: readonly number[];
}

type Attributes = Readonly<Record<string, number | readonly number[] | { readonly float: number }>>;

/** The bytes of a model with one input `x` and one output `y`, and what is in it. */
export interface RandomNetwork {
  readonly model: Uint8Array;
  readonly layers: readonly string[];
  /** Names of the nodes that have weights. */
  readonly weighted: readonly string[];
}

/** @param most layers: the same seed with fewer layers is the beginning of the same network */
export function randomNetwork(seed: number, most = Number.POSITIVE_INFINITY): RandomNetwork {
  const random = new Random(seed);
  const maker = new NetworkMaker(random);
  const isSequence = random.below(8) === 0;
  let value = isSequence ? maker.sequence() : maker.picture();
  const count = 2 + random.below(5);
  for (let layer = 0; layer < Math.min(count, most); layer++) value = maker.layer(value);
  return maker.finish(value);
}

class NetworkMaker {
  readonly #writer = new ModelWriter();
  readonly #layers: string[] = [];
  readonly #weighted: string[] = [];
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  finish({ name }: Value): RandomNetwork {
    return {
      model: this.#writer.finish(name, 18),
      layers: this.#layers,
      weighted: this.#weighted,
    };
  }

  picture(): Value {
    const axes = this.#random.below(4) === 0 ? 1 : 2;
    const extents = Array.from({ length: axes }, () => 4 + this.#random.below(axes === 1 ? 16 : 6));
    const shape = [1, 1 + this.#random.below(4), ...extents];
    return { name: this.#writer.input("x", shape, "float32"), shape };
  }

  /** A recurrent layer over some steps. */
  sequence(): Value {
    const [steps, size, hidden] = [2 + this.#random.below(5), 2 + this.#random.below(4), 3];
    const shape = [steps, 1, size];
    const x = { name: this.#writer.input("x", shape, "float32"), shape };
    const [opType, gates] = this.#one([
      ["LSTM", 4],
      ["GRU", 3],
      ["RNN", 1],
    ] as const);
    const inputs = [
      x.name,
      this.#numbers([1, gates * hidden, size], 0.5),
      this.#numbers([1, gates * hidden, hidden], 0.5),
      this.#numbers([1, 2 * gates * hidden], 0.2),
    ];
    const all = this.#node(opType, inputs, [steps, 1, 1, hidden], { hidden_size: hidden });
    return this.#reshape(all, [1, steps * hidden]);
  }

  layer(x: Value): Value {
    const isPicture = x.shape.length > 2;
    const makers = isPicture ? this.#pictureLayers : this.#vectorLayers;
    for (;;) {
      const y = this.#one(makers).call(this, x);
      if (y !== undefined) return y;
    }
  }

  readonly #pictureLayers = [
    this.#conv,
    this.#conv,
    this.#depthwise,
    this.#pool,
    this.#activation,
    this.#residual,
    this.#joined,
    this.#upsample,
    this.#pad,
    this.#normalize,
    this.#halves,
    this.#flatten,
  ];
  readonly #vectorLayers = [this.#dense, this.#dense, this.#activation, this.#softmax, this.#skip];

  #conv(x: Value): Value | undefined {
    const { shape } = x;
    const group = shape[1] % 2 === 0 && this.#random.below(5) === 0 ? 2 : 1;
    return this.#convolution(x, group * (1 + this.#random.below(4)), group);
  }

  #depthwise(x: Value): Value | undefined {
    return x.shape[1] < 2 ? undefined : this.#convolution(x, x.shape[1], x.shape[1]);
  }

  #convolution(x: Value, channels: number, group: number): Value | undefined {
    const windows = this.#windows(x.shape.slice(2), { dilates: true, pads: true });
    if (windows === undefined) return undefined;
    const { attributes, extents } = windows;
    const dims = [channels, x.shape[1] / group, ...attributes.kernel_shape];
    const inputs = [x.name, this.#numbers(dims, 1 / Math.sqrt(sizeOf(dims) / channels))];
    if (this.#random.below(3) > 0) inputs.push(this.#numbers([channels], 0.3));
    return this.#node("Conv", inputs, [1, channels, ...extents], { ...attributes, group });
  }

  /** A convolution that leaves the extents as they are. */
  #same(x: Value, channels = x.shape[1]): Value {
    const axes = x.shape.length - 2;
    const k = this.#random.below(2) === 0 ? 1 : 3;
    const dims = [channels, x.shape[1], ...new Array<number>(axes).fill(k)];
    const inputs = [x.name, this.#numbers(dims, 1 / Math.sqrt(sizeOf(dims) / channels))];
    return this.#node("Conv", inputs, [1, channels, ...x.shape.slice(2)], {
      kernel_shape: dims.slice(2),
      pads: new Array<number>(2 * axes).fill(k >> 1),
    });
  }

  #pool(x: Value): Value | undefined {
    if (this.#random.below(4) === 0) {
      const opType = this.#one(["GlobalAveragePool", "GlobalMaxPool"] as const);
      return this.#node(opType, [x.name], [1, x.shape[1], ...x.shape.slice(2).map(() => 1)]);
    }
    const opType = this.#one(["MaxPool", "MaxPool", "AveragePool"] as const);
    const windows = this.#windows(x.shape.slice(2), {
      dilates: false,
      pads: this.#random.below(3) === 0,
    });
    if (windows === undefined) return undefined;
    const { dilations: _, ...attributes } = windows.attributes;
    const { kernel_shape, pads } = attributes;
    // A pool has no window of padding alone.
    if (pads.some((pad, i) => pad >= kernel_shape[i % kernel_shape.length])) return undefined;
    const shape = [1, x.shape[1], ...windows.extents];
    const isCounted = opType === "AveragePool" && this.#random.below(2) === 0;
    const more = isCounted ? { count_include_pad: 1 } : {};
    return this.#node(opType, [x.name], shape, { ...attributes, ...more });
  }

  #activation(x: Value): Value {
    const opType = this.#one([
      ...(["Relu", "Relu", "Sigmoid", "Tanh", "HardSwish", "Elu"] as const),
      "LeakyRelu",
    ] as const);
    const attributes = opType === "LeakyRelu" ? { alpha: { float: 0.1 } } : {};
    return this.#node(opType, [x.name], x.shape, attributes);
  }

  /** Ways of different lengths that meet again. */
  #residual(x: Value): Value {
    let long = this.#same(x);
    for (let more = this.#random.below(3); more > 0; more--)
      long = this.#same(this.#activation(long));
    const short = this.#random.below(3) === 0 ? this.#same(x) : x;
    const inputs = this.#random.below(2) === 0 ? [long, short] : [short, long];
    const opType = this.#one(["Add", "Add", "Add", "Sub", "Mul", "Max"] as const);
    return this.#node(
      opType,
      inputs.map(({ name }) => name),
      x.shape,
    );
  }

  #joined(x: Value): Value {
    const parts = [this.#same(x, 1 + this.#random.below(4)), x];
    if (this.#random.below(2) === 0) parts.push(this.#same(this.#activation(x), 2));
    const channels = parts.reduce((sum, { shape }) => sum + shape[1], 0);
    const shape = [1, channels, ...x.shape.slice(2)];
    return this.#node(
      "Concat",
      parts.map(({ name }) => name),
      shape,
      { axis: 1 },
    );
  }

  /** The channels in two parts, the second before the first. */
  #halves(x: Value): Value | undefined {
    const channels = x.shape[1];
    if (channels < 2) return undefined;
    const cut = 1 + this.#random.below(channels - 1);
    const part = (from: number, to: number) =>
      this.#node(
        "Slice",
        [x.name, ...[[from], [to], [1]].map((list) => this.#writer.integers(list))],
        [1, to - from, ...x.shape.slice(2)],
      );
    const [first, second] = [part(0, cut), part(cut, channels)];
    return this.#node("Concat", [second.name, this.#activation(first).name], x.shape, { axis: 1 });
  }

  #upsample(x: Value): Value | undefined {
    if (x.shape.length !== 4) return undefined;
    const scales = [1, 1, 1 + this.#random.below(2), 2];
    const shape = x.shape.map((extent, i) => extent * scales[i]);
    return this.#node("Resize", [x.name, "", this.#writer.floats(scales)], shape);
  }

  #pad(x: Value): Value {
    const axes = x.shape.length - 2;
    const pads = Array.from({ length: 2 * axes }, () => this.#random.below(3));
    const list = [0, 0, ...pads.slice(0, axes), 0, 0, ...pads.slice(axes)];
    const shape = x.shape.map((extent, i) => extent + list[i] + list[x.shape.length + i]);
    return this.#node("Pad", [x.name, this.#writer.integers(list)], shape);
  }

  #normalize(x: Value): Value {
    const channels = [x.shape[1]];
    const variance = Array.from({ length: x.shape[1] }, () => 0.5 + this.#random.uniform());
    const inputs = [x.name, this.#numbers(channels, 1), this.#numbers(channels, 0.5)];
    inputs.push(this.#numbers(channels, 0.5), this.#writer.floats(variance, channels));
    return this.#node("BatchNormalization", inputs, x.shape);
  }

  #flatten(x: Value): Value {
    const { shape } = x;
    if (this.#random.below(2) === 0) return this.#node("Flatten", [x.name], [1, sizeOf(shape)]);
    const order = [0, ...shape.slice(2).map((_, i) => i + 2), 1];
    const turned = this.#node(
      "Transpose",
      [x.name],
      order.map((i) => shape[i]),
      { perm: order },
    );
    return this.#node("Flatten", [turned.name], [1, sizeOf(shape)]);
  }

  #dense(x: Value): Value {
    const [k, n] = [x.shape[1], 2 + this.#random.below(9)];
    const inputs = [x.name, this.#numbers([k, n], 1 / Math.sqrt(k)), this.#numbers([n], 0.2)];
    return this.#node("Gemm", inputs, [1, n]);
  }

  #softmax(x: Value): Value | undefined {
    return x.shape[1] > 24 ? undefined : this.#node("Softmax", [x.name], x.shape);
  }

  #skip(x: Value): Value {
    const inputs = [x.name, this.#numbers([x.shape[1], x.shape[1]], 1 / Math.sqrt(x.shape[1]))];
    const y = this.#node("MatMul", inputs, x.shape);
    return this.#node("Add", [x.name, y.name], x.shape);
  }

  #reshape(x: Value, shape: readonly number[]): Value {
    return this.#node("Reshape", [x.name, this.#writer.integers(shape)], shape);
  }

  /** Windows that fit, and the extents that they leave; nothing where that would be too many or none. */
  #windows(extents: readonly number[], { dilates, pads }: { dilates: boolean; pads: boolean }) {
    const pick = (extent: number) => {
      const kernel = 1 + this.#random.below(Math.min(5, extent));
      const dilation = dilates && this.#random.below(4) === 0 ? 2 : 1;
      const stride = this.#one([1, 1, 1, 2, 3]);
      const pad = () => (pads ? this.#random.below(Math.min(3, kernel)) : 0);
      const [before, after] = [pad(), pad()];
      const span = (kernel - 1) * dilation + 1;
      const result = Math.floor((extent + before + after - span) / stride) + 1;
      return { kernel, dilation, stride, before, after, result };
    };
    const picks = extents.map(pick);
    if (picks.some(({ result }) => result < 1)) return undefined;
    const attributes = {
      kernel_shape: picks.map(({ kernel }) => kernel),
      dilations: picks.map(({ dilation }) => dilation),
      strides: picks.map(({ stride }) => stride),
      pads: [...picks.map(({ before }) => before), ...picks.map(({ after }) => after)],
    };
    return { attributes, extents: picks.map(({ result }) => result) };
  }

  #node(
    opType: string,
    inputs: readonly string[],
    shape: readonly number[],
    attributes: Attributes = {},
  ): Value {
    const name = this.#writer.node(opType, inputs, attributes);
    const words = Object.entries(attributes).map(([key, of]) => ` ${key} ${JSON.stringify(of)}`);
    this.#layers.push(`${opType} [${shape.join(",")}]${words.join("")}`);
    if (["Conv", "Gemm", "MatMul"].includes(opType))
      this.#weighted.push(`${opType}_${this.#layers.length - 1}`);
    return { name, shape };
  }

  #numbers(dims: readonly number[], size: number): string {
    const data = Array.from({ length: sizeOf(dims) }, () => this.#random.normal() * size);
    return this.#writer.floats(data, dims);
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)];
  }
}
