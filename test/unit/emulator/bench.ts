import { cpus } from "node:os";
import { packetBytes } from "../../../src/artifact/manifest.ts";
import { Random } from "../../../src/base/index.ts";
import { type Handle, Network } from "./networks.ts";
import { Instance } from "./run.ts";

/**
 * Speed of the emulator on one thread. Not a test; to run it:
 *
 *   npx tsc -p test/unit/emulator/tsconfig.bench.json && node build/bench/test/unit/emulator/bench.js
 */
function dense(
  network: Network,
  x: Handle,
  columns: number,
  weightBits: number,
  random: Random,
  rows = 1,
): Handle {
  const depth = x.size / rows;
  const size = rows * columns;
  const reach = 2 ** (weightBits - 1) - 1;
  const draw = () => Math.max(-reach, Math.min(reach, Math.round((random.normal() * reach) / 3)));
  const weights = network.constant(Array.from({ length: depth * columns }, draw));
  const bias = network.constant(Array.from({ length: columns }, () => random.below(200) - 100));
  const sum = network.apply(
    {
      kind: "matmul",
      groups: 1,
      m: rows,
      k: depth,
      n: columns,
      a: { offset: Int32Array.of(0), rowStride: depth, columnStride: 1 },
      b: { offset: Int32Array.of(0), rowStride: columns, columnStride: 1 },
    },
    [x, weights],
    size,
  );
  const index = Int32Array.from({ length: size }, (_, i) => i % columns);
  return network.apply(
    { kind: "binary", fn: "add", a: { arg: 0, shift: 0 }, b: { arg: 1, shift: 3, index } },
    [sum, bias],
    size,
  );
}

function narrow(
  network: Network,
  x: Handle,
  shift: number,
  width: number,
  signed: boolean,
): Handle {
  return network.apply(
    { kind: "requantize", shift, rounding: "RND", overflow: "SAT", signed, width },
    [x],
    x.size,
  );
}

function perceptron(sizes: readonly number[], bits: number, weightBits: number): Network {
  const random = new Random(1);
  const network = new Network();
  let x = network.input(sizes[0], { signed: true, width: bits, frac: 0 });
  sizes.slice(1).forEach((columns, layer) => {
    x = dense(network, x, columns, weightBits, random);
    const isLast = layer === sizes.length - 2;
    if (!isLast) {
      x = network.apply({ kind: "clamp", lo: 0n, hi: 1n << 62n }, [x], columns);
    }
    x = narrow(network, x, weightBits - 2, bits, isLast);
  });
  network.output(x);
  return network;
}

function measure(name: string, network: Network, count = Number.POSITIVE_INFINITY): void {
  const started = performance.now();
  const binary = network.emit();
  const emitMs = performance.now() - started;
  const { inputs, outputs } = network.ports;
  const instance = new Instance(binary);
  const rows = Math.min(instance.batch, count);
  const random = new Random(2);
  const packets = Uint8Array.from({ length: rows * packetBytes(inputs) }, () => random.below(256));
  const runFor = (ms: number): number => {
    const start = process.cpuUsage();
    const from = performance.now();
    let done = 0;
    while (performance.now() - from < ms) {
      instance.run(packets, rows, packetBytes(outputs));
      done += rows;
    }
    const { user, system } = process.cpuUsage(start);
    return done / ((user + system) / 1e6);
  };
  runFor(1000);
  const rate = Math.max(runFor(500), runFor(500), runFor(500));
  console.log(
    `${name.padEnd(40)} ${Math.round(rate).toLocaleString("en").padStart(12)} /s   ` +
      `${rows} a call, ${binary.length} bytes, emitted in ${Math.round(emitMs)} ms`,
  );
}

/** A 3x3 convolution without padding, channels last, as windows and a product. */
function convolution(
  network: Network,
  x: Handle,
  width: number,
  channels: number,
  columns: number,
  random: Random,
): Handle {
  const across = width - 2;
  const index = Int32Array.from({ length: across * across * 9 * channels }, (_, i) => {
    const c = i % channels;
    const [dx, dy] = [Math.floor(i / channels) % 3, Math.floor(i / channels / 3) % 3];
    const at = Math.floor(i / channels / 9);
    return ((Math.floor(at / across) + dy) * width + (at % across) + dx) * channels + c;
  });
  const windows = network.apply({ kind: "gather", index }, [x], index.length);
  const rows = across * across;
  const sum = dense(network, windows, columns, 8, random, rows);
  const positive = network.apply({ kind: "clamp", lo: 0n, hi: 1n << 62n }, [sum], sum.size);
  return narrow(network, positive, 7, 8, false);
}

function convolutions(): Network {
  const random = new Random(1);
  const network = new Network();
  let x = network.input(28 * 28, { signed: true, width: 8, frac: 0 });
  x = convolution(network, x, 28, 1, 16, random);
  x = convolution(network, x, 26, 16, 16, random);
  x = convolution(network, x, 24, 16, 16, random);
  network.output(narrow(network, dense(network, x, 10, 8, random), 7, 8, true));
  return network;
}

console.log(cpus()[0].model);
measure("16-64-32-32-5, 8-bit, 6-bit weights", perceptron([16, 64, 32, 32, 5], 8, 6));
measure("the same, one at a time", perceptron([16, 64, 32, 32, 5], 8, 6), 1);
measure("FACILE 18-31-11-3-1, 16-bit", perceptron([18, 31, 11, 3, 1], 16, 16));
measure("784-256-128-10, 8-bit", perceptron([784, 256, 128, 10], 8, 8));
if (process.argv.includes("--large")) {
  measure("three 3x3 convolutions, 2.6 M products", convolutions());
  measure("the same, one at a time", convolutions(), 1);
  measure("2048-4096-4096-10, 25 M weights", perceptron([2048, 4096, 4096, 10], 8, 8));
  measure("the same, one at a time", perceptron([2048, 4096, 4096, 10], 8, 8), 1);
}
