import { execFileSync } from "node:child_process";
import { afterAll, describe, expect, it } from "vitest";
import {
  type Bundle,
  bundlePaths,
  type Manifest,
  packetBytes,
} from "../../../src/artifact/index.ts";
import { InternalError, Nn2fpgaError, Random } from "../../../src/base/index.ts";
import { i32, ModuleBuilder } from "../../../src/emit/emulator/wasm/index.ts";
import { createEmulatorDevice } from "../../../src/runtime/devices/emulator.ts";
import { workerSource } from "../../../src/runtime/devices/emulator-worker.ts";
import type { Interval } from "./networks.ts";
import { formatOf, Network } from "./networks.ts";
import { Instance } from "./run.ts";

/** A small network, deep enough that a few thousand samples are worth dividing. */
function network(layers: number): Network {
  const random = new Random(5);
  const made = new Network();
  const byte: Interval = [-128n, 127n];
  let x = made.input(24, formatOf(byte));
  for (let layer = 0; layer < layers; layer++) {
    const w = made.constant(Array.from({ length: 24 * 24 }, () => random.below(255) - 127));
    const sum = made.apply(
      {
        kind: "matmul",
        groups: 1,
        m: 1,
        k: 24,
        n: 24,
        a: { offset: Int32Array.of(0), rowStride: 24, columnStride: 1 },
        b: { offset: Int32Array.of(0), rowStride: 24, columnStride: 1 },
      },
      [x, w],
      24,
    );
    x = made.apply(
      {
        kind: "requantize",
        shift: 8,
        rounding: "RND",
        overflow: "SAT",
        signed: true,
        width: 8,
      },
      [sum],
      24,
    );
  }
  made.output(x);
  return made;
}

/** What a device needs of a bundle. */
function bundleOf(emulator: Uint8Array, ports: Network["ports"]): Bundle {
  const manifest = { name: "tiny", ...ports } as unknown as Manifest;
  return {
    folder: "tiny.n2f",
    manifest,
    read: (path) => {
      expect(path).toBe(bundlePaths.emulator);
      return emulator;
    },
    verifyAll: () => {},
  };
}

/** Compares large arrays, which `toEqual` is slow at. */
function expectBytes(actual: Uint8Array, expected: Uint8Array): void {
  expect(Buffer.compare(actual, expected)).toBe(0);
}

function randomPackets(size: number, seed: number): Uint8Array {
  const random = new Random(seed);
  return Uint8Array.from({ length: size }, () => random.below(256));
}

describe("the emulator device", () => {
  const device = createEmulatorDevice({ threads: 2 });
  afterAll(() => device.close());
  const tiny = network(3);
  const emulator = tiny.emit();
  const bundle = bundleOf(emulator, tiny.ports);
  const [inputBytes, outputBytes] = [tiny.ports.inputs, tiny.ports.outputs].map(packetBytes);
  const { batch } = new Instance(emulator);

  /** The same packets by plain calls of the module, batch after batch. */
  const expected = (inputs: Uint8Array, count: number): Uint8Array => {
    const instance = new Instance(emulator);
    const outputs = new Uint8Array(count * outputBytes);
    for (let first = 0; first < count; first += batch) {
      const samples = Math.min(batch, count - first);
      const part = inputs.subarray(first * inputBytes, (first + samples) * inputBytes);
      outputs.set(instance.run(part, samples, outputBytes), first * outputBytes);
    }
    return outputs;
  };

  it("gives the same bytes for any count, at once or divided among threads", async () => {
    const kernel = await device.load(bundle);
    for (const count of [0, 1, 3, 17, batch - 1, batch, batch + 1, 9 * batch + 5]) {
      const inputs = randomPackets(count * inputBytes, count);
      const copy = inputs.slice();
      expectBytes(await kernel.run(inputs, count), expected(inputs, count));
      expectBytes(inputs, copy);
    }
    await kernel.close();
    await expect(kernel.run(new Uint8Array(inputBytes), 1)).rejects.toThrow("closed");
  });

  it("answers many requests at once, of several kernels", async () => {
    const kernels = await Promise.all([1, 2, 3].map(() => device.load(bundle)));
    const requests = Array.from({ length: 24 }, (_, i) => {
      const count = 1 + ((i * 977) % (3 * batch));
      const inputs = randomPackets(count * inputBytes, i);
      return { inputs, count, answer: kernels[i % 3].run(inputs, count) };
    });
    for (const { inputs, count, answer } of requests) {
      expectBytes(await answer, expected(inputs, count));
    }
    await Promise.all(kernels.map((kernel) => kernel.close()));
  });

  it("reads shared memory in place", async () => {
    const kernel = await device.load(bundle);
    const count = 5 * batch;
    const memory = new Uint8Array(new SharedArrayBuffer(count * inputBytes + 7), 7);
    memory.set(randomPackets(count * inputBytes, 1));
    const outputs = await kernel.run(memory, count);
    expect(outputs.buffer).toBeInstanceOf(ArrayBuffer);
    expectBytes(outputs, expected(memory.slice(), count));
    await kernel.close();
  });

  it("computes without threads", async () => {
    const single = createEmulatorDevice({ threads: 0 });
    const kernel = await single.load(bundle);
    const inputs = randomPackets(5 * batch * inputBytes, 3);
    expectBytes(await kernel.run(inputs, 5 * batch), expected(inputs, 5 * batch));
    await single.close();
  });

  it("refuses packets of the wrong length", async () => {
    const kernel = await device.load(bundle);
    for (const [bytes, count] of [
      [inputBytes, 2],
      [0, 1],
      [inputBytes + 1, 1],
      [inputBytes, 0.5],
    ]) {
      const error = await kernel.run(new Uint8Array(bytes), count).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(Nn2fpgaError);
      expect((error as Nn2fpgaError).problems[0].code).toBe("N2F_DATA_SHAPE");
    }
    const error = await kernel.run(new Uint8Array(7), 2).catch((e: unknown) => e);
    expect((error as Error).message).toBe(
      `N2F_DATA_SHAPE: 7 bytes are not 2 packets of ${inputBytes} bytes\n  at tiny`,
    );
  });

  it("refuses modules that are none, or ask for more than a sandbox", async () => {
    const code = (bytes: Uint8Array) =>
      device.load(bundleOf(bytes, tiny.ports)).then(
        () => "loaded",
        (error: Nn2fpgaError) => error.problems[0].message,
      );
    expect(await code(Uint8Array.of(1, 2, 3))).toMatch(/^this is no WebAssembly module/);
    const empty = new ModuleBuilder();
    empty.exportMemory("memory");
    expect(await code(empty.finish(1, new Uint8Array(0), 0))).toBe(
      "the module exports no function run",
    );
    // (module (import "env" "f" (func)))
    const greedy = Uint8Array.of(
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0],
      ...[2, 9, 1, 3, 0x65, 0x6e, 0x76, 1, 0x66, 0, 0],
    );
    expect(await code(greedy)).toBe("the module asks for f of its host");
    expect(await code(moduleOf((f) => f.advance(f.params[0], 1), 1 << 20))).toBe(
      "packets do not fit the emulator's memory",
    );
  });

  it("says so when the module stops, in whichever thread", async () => {
    // Reads beyond its memory where there are more than 16 samples.
    const broken = moduleOf((f) => {
      const [count] = f.params;
      f.ifThen(i32.gt(count, i32.const(16)), () => {
        f.bind(i32.load(i32.const(-16), 0));
      });
    }, 64);
    const message = /^the emulator of tiny stopped: memory access out of bounds/;
    for (const threads of [0, 1]) {
      const own = createEmulatorDevice({ threads });
      const kernel = await own.load(bundleOf(broken, tiny.ports));
      const error = await kernel
        .run(new Uint8Array(200_000 * inputBytes), 200_000)
        .catch((e: unknown) => e);
      expect(error).toBeInstanceOf(InternalError);
      expect((error as Error).message).toMatch(message);
      // The next request is served all the same.
      expect(await kernel.run(new Uint8Array(3 * inputBytes), 3)).toHaveLength(3 * outputBytes);
      await own.close();
    }
  });

  it("ends what runs when it is closed", async () => {
    const own = createEmulatorDevice({ threads: 1 });
    const deep = network(40);
    const kernel = await own.load(bundleOf(deep.emit(), deep.ports));
    const count = 100 * batch;
    const answer = kernel.run(new Uint8Array(count * inputBytes), count).catch((e: unknown) => e);
    await own.close();
    expect(await answer).toBeInstanceOf(Nn2fpgaError);
    const late = await kernel
      .run(new Uint8Array(count * inputBytes), count)
      .catch((e: unknown) => e);
    expect((late as Error).message).toBe(
      "N2F_SIMULATION_FAILED: the emulator did not finish: the device was closed\n  at tiny",
    );
  });

  it("refuses a number of threads that is none", () => {
    expect(() => createEmulatorDevice({ threads: 1.5 })).toThrow("N2F_OPTION_INVALID");
    expect(createEmulatorDevice({ threads: 1 }).info()).toEqual({
      name: "emulator",
      description: "bit-exact emulator, 1 thread",
    });
  });

  it("has a worker that does not keep the process alive once it is unreferenced", () => {
    const script = `
      const { Worker } = require("node:worker_threads");
      new Worker(${JSON.stringify(workerSource)}, { eval: true }).unref();
    `;
    expect(execFileSync(process.execPath, ["-e", script], { timeout: 20_000 }).length).toBe(0);
  });
});

/** A module with the right exports that computes nothing, and packets of its own size. */
function moduleOf(
  run: (f: Parameters<Parameters<ModuleBuilder["addFunction"]>[1]>[0]) => void,
  batch: number,
): Uint8Array {
  const module = new ModuleBuilder();
  module.exportFunction("run", module.addFunction(1, run));
  module.exportMemory("memory");
  module.exportConstant("input", 0);
  module.exportConstant("output", 0);
  module.exportConstant("batch", batch);
  return module.finish(65536, new Uint8Array(0), 0);
}
