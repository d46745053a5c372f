import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { Bundle, Manifest } from "../../artifact/index.ts";
import { fail } from "../../base/index.ts";
import type { Device } from "../device.ts";
import { checkPackets, padPackets, trimPackets } from "../packets.ts";
import {
  checkSimulateOptions,
  type SimulatedKernel,
  type SimulateOptions,
  type Simulation,
} from "../simulated-kernel.ts";
import { idleLimitCycles, stuckText, violations as texts } from "../violations.ts";
import { buildRtl, type SimulatorBuild } from "./rtl-build.ts";

export interface SimulatorOptions {
  readonly onProgress?: (step: string) => void;
}

/** The device `rtl`: the Verilated model of a bundle's Verilog, as a process of its own. */
export interface RtlDevice extends Device {
  load(bundle: Bundle): Promise<SimulatedKernel>;
}

export function createRtlDevice({ onProgress = () => {} }: SimulatorOptions = {}): RtlDevice {
  return {
    info: () => ({ name: "rtl", description: "the Verilog, simulated by Verilator" }),
    load: async (bundle) => new RtlKernel(bundle.manifest, await buildRtl(bundle, onProgress)),
    close: async () => {},
  };
}

/** Of the protocol that `templates/sim/main.cpp.hbs` describes. */
const magic = 0x4e324654;
/** Packets in one request: bounds the memory of both sides. */
const chunkBytes = 32 << 20;
const keptWords = 2000;

/** By the bits of an answer's violations. */
const violationBits = [texts.lastWrong, texts.validDropped, texts.dataChanged, texts.tooMany];

/** The answer to one request, its packets still padded. */
interface Answer extends Simulation {
  readonly isStuck: boolean;
}

type Program = ChildProcessByStdio<Writable, Readable, Readable>;

class RtlKernel implements SimulatedKernel {
  readonly simulator: string;
  readonly #manifest: Manifest;
  readonly #build: SimulatorBuild;
  #program: Program | undefined;
  #reader: ByteReader | undefined;
  /** The last that the program said on stderr. */
  #words = "";
  #queue: Promise<unknown> = Promise.resolve();

  constructor(manifest: Manifest, build: SimulatorBuild) {
    this.#manifest = manifest;
    this.#build = build;
    this.simulator = build.version;
  }

  async run(inputs: Uint8Array, count: number): Promise<Uint8Array> {
    const { outputs, violations } = await this.simulate(inputs, count, {
      stallInPercent: 0,
      stallOutPercent: 0,
      seed: 1,
    });
    if (violations.length > 0) {
      fail("N2F_SIMULATION_FAILED", violations.join("; "), { at: this.#manifest.name });
    }
    return outputs;
  }

  /** Requests run one after the other. */
  async simulate(inputs: Uint8Array, count: number, options: SimulateOptions): Promise<Simulation> {
    checkPackets(this.#manifest, inputs, count);
    checkSimulateOptions(options);
    const result = this.#queue.then(() => this.#simulateAll(inputs, count, options));
    this.#queue = result.catch(() => {});
    return result;
  }

  async close(): Promise<void> {
    await this.#queue;
    this.#program?.stdin.end();
    this.#program = undefined;
  }

  async #simulateAll(
    inputs: Uint8Array,
    count: number,
    options: SimulateOptions,
  ): Promise<Simulation> {
    const { inputs: ports, outputs, kernel } = this.#manifest;
    const padded = padPackets(inputs, count, ports, kernel.inputStream);
    const inBytes = kernel.inputStream.beats * kernel.inputStream.beatBytes;
    const perRequest = Math.max(1, Math.floor(chunkBytes / inBytes));
    const parts: Answer[] = [];
    let startCycle = 0;
    for (let at = 0; at < count; at += perRequest) {
      const size = Math.min(perRequest, count - at);
      const packets = padded.subarray(at * inBytes, (at + size) * inBytes);
      const part = await this.#request(packets, size, options, startCycle);
      parts.push(part);
      if (part.isStuck) break;
      startCycle = part.outputCycles[size - 1] + 1;
    }
    const done = parts.reduce((sum, part) => sum + part.outputCycles.length, 0);
    const answers = new Uint8Array(Buffer.concat(parts.map((part) => part.outputs)));
    return {
      outputs: trimPackets(answers, done, outputs, kernel.outputStream),
      inputCycles: parts.flatMap((part) => part.inputCycles),
      outputCycles: parts.flatMap((part) => part.outputCycles),
      violations: [...new Set(parts.flatMap((part) => part.violations))],
    };
  }

  async #request(
    packets: Uint8Array,
    count: number,
    { stallInPercent, stallOutPercent, seed }: SimulateOptions,
    startCycle: number,
  ): Promise<Answer> {
    const { program, reader } = this.#start();
    const idleCycles = idleLimitCycles(this.#manifest.kernel.predicted);
    const head = Buffer.alloc(32);
    [magic, count, stallInPercent, stallOutPercent].forEach((word, i) => {
      head.writeUInt32LE(word, i * 4);
    });
    head.writeBigUInt64LE(BigInt(seed), 16);
    head.writeBigUInt64LE(BigInt(idleCycles), 24);
    program.stdin.write(head);
    program.stdin.write(packets);

    // While an answer is due, the program's end must be seen.
    program.ref();
    try {
      return await this.#answer(reader, count, startCycle);
    } finally {
      program.unref();
    }
  }

  async #answer(reader: ByteReader, count: number, startCycle: number): Promise<Answer> {
    const { predicted, outputStream } = this.#manifest.kernel;
    const idleCycles = idleLimitCycles(predicted);
    const answer = await reader.take(24);
    const [mark, status, done, accepted, bits] = [0, 1, 2, 3, 4].map((i) =>
      answer.readUInt32LE(i * 4),
    );
    if (mark !== magic) this.#broken("it answered nonsense");
    const outputs = await reader.take(done * outputStream.beats * outputStream.beatBytes);
    const cycles = (from: Buffer) =>
      Array.from(
        { length: from.length / 8 },
        (_, i) => startCycle + from.readUInt32LE(i * 8) + from.readUInt32LE(i * 8 + 4) * 2 ** 32,
      );
    const inputCycles = cycles(await reader.take(accepted * 8));
    const outputCycles = cycles(await reader.take(done * 8));
    const isStuck = status !== 0;
    const violations: string[] = violationBits.filter((_, i) => (bits >> i) & 1);
    if (isStuck) violations.push(stuckText({ count, accepted, done, idleCycles }));
    return { outputs, inputCycles, outputCycles, violations, isStuck };
  }

  #start(): { program: Program; reader: ByteReader } {
    if (this.#program !== undefined && this.#reader !== undefined) {
      return { program: this.#program, reader: this.#reader };
    }
    const program = spawn(this.#build.program, [], {
      cwd: this.#build.folder,
      stdio: ["pipe", "pipe", "pipe"],
    });
    program.stdin.on("error", () => {});
    this.#words = "";
    program.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#words = (this.#words + text).slice(-keptWords);
    });
    const reader = new ByteReader(program.stdout, (reason) => this.#broken(reason));
    program.on("error", (error) => reader.fail(error.message));
    program.on("close", (code, signal) => {
      reader.fail(`it ended with ${signal ?? `exit code ${code}`}`);
      this.#program = undefined;
      this.#reader = undefined;
    });
    // A simulator that waits for requests does not keep the process alive.
    program.unref();
    (program.stdin as unknown as { unref(): void }).unref();
    (program.stdout as unknown as { unref(): void }).unref();
    (program.stderr as unknown as { unref(): void }).unref();
    this.#program = program;
    this.#reader = reader;
    return { program, reader };
  }

  #broken(reason: string): never {
    const words = this.#words.trim();
    const said = words === "" ? "" : `It said: ${words}\n    `;
    return fail("N2F_SIMULATION_FAILED", `the simulator failed: ${reason}`, {
      at: this.#manifest.name,
      hint: `${said}Its folder is ${this.#build.folder}; delete it to have the model built again. If another version of nn2fpga made the bundle, compile that again.`,
    });
  }
}

/** Takes exact numbers of bytes from a stream. */
class ByteReader {
  readonly #stream: Readable;
  readonly #raise: (reason: string) => never;
  #chunks: Buffer[] = [];
  #available = 0;
  #waiting:
    | { bytes: number; resolve: (bytes: Buffer) => void; reject: (error: unknown) => void }
    | undefined;
  #reason: string | undefined;

  constructor(stream: Readable, raise: (reason: string) => never) {
    this.#stream = stream;
    this.#raise = raise;
    stream.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#available += chunk.length;
      this.#serve();
    });
  }

  take(bytes: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { bytes, resolve, reject };
      (this.#stream as unknown as { ref(): void }).ref();
      this.#serve();
    });
  }

  fail(reason: string): void {
    this.#reason ??= reason;
    this.#serve();
  }

  #serve(): void {
    if (this.#waiting === undefined) return;
    const { bytes, resolve, reject } = this.#waiting;
    if (this.#available >= bytes) {
      const all = Buffer.concat(this.#chunks);
      this.#chunks = [all.subarray(bytes)];
      this.#available -= bytes;
      this.#waiting = undefined;
      (this.#stream as unknown as { unref(): void }).unref();
      resolve(all.subarray(0, bytes));
    } else if (this.#reason !== undefined) {
      this.#waiting = undefined;
      try {
        this.#raise(this.#reason);
      } catch (error) {
        reject(error);
      }
    }
  }
}
