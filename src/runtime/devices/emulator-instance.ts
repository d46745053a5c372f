import { type Bundle, bundlePaths, type PortTensor, packetBytes } from "../../artifact/index.ts";
import { fail, InternalError } from "../../base/index.ts";
import { type WasmModule, webAssembly } from "./emulator-webassembly.ts";

/** What `emit/emulator` exports from a network's module. Numbers are unsigned 32-bit words. */
export interface EmulatorExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Addresses of the first input and the first output packet. */
  readonly input: { readonly value: number };
  readonly output: { readonly value: number };
  /** The most samples of one call. */
  readonly batch: { readonly value: number };
  run(count: number): void;
}

const exportKinds = {
  run: "function",
  memory: "memory",
  input: "global",
  output: "global",
  batch: "global",
} as const;

/** A network's module with what one must know to call it. */
export interface EmulatorModule {
  readonly name: string;
  readonly module: WasmModule;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

const again = "Compile the model again.";

/**
 * Compiles a bundle's emulator. Code that would reach out of its sandbox is refused.
 *
 * @throws N2F_BUNDLE_CORRUPT
 */
export async function compileEmulator(bundle: Bundle): Promise<EmulatorModule> {
  const { name, inputs, outputs } = bundle.manifest;
  const bytes = bundle.read(bundlePaths.emulator);
  const refuse = (message: string, cause?: unknown): never =>
    fail("N2F_BUNDLE_CORRUPT", message, {
      at: `${bundle.folder}/${bundlePaths.emulator}`,
      hint: again,
      cause,
    });
  const module = await webAssembly
    .compile(bytes)
    .catch((cause: Error) => refuse(`this is no WebAssembly module: ${cause.message}`, cause));
  const imports = webAssembly.Module.imports(module);
  if (imports.length > 0) refuse(`the module asks for ${imports[0].name} of its host`);
  const kinds = new Map(webAssembly.Module.exports(module).map(({ name, kind }) => [name, kind]));
  for (const [name, kind] of Object.entries(exportKinds)) {
    if (kinds.get(name) !== kind) refuse(`the module exports no ${kind} ${name}`);
  }
  return { name, module, inputBytes: packetBytes(inputs), outputBytes: packetBytes(outputs) };
}

/** An emulator in the calling thread. */
export class EmulatorInstance {
  readonly #emulator: EmulatorModule;
  readonly #exports: EmulatorExports;

  /** @throws N2F_BUNDLE_CORRUPT, N2F_SIMULATION_FAILED where there is no memory for it */
  constructor(emulator: EmulatorModule) {
    this.#emulator = emulator;
    try {
      this.#exports = new webAssembly.Instance(emulator.module).exports as EmulatorExports;
    } catch (cause) {
      fail("N2F_SIMULATION_FAILED", `the emulator cannot start: ${(cause as Error).message}`, {
        at: emulator.name,
        hint: "It may need more memory than there is.",
        cause,
      });
    }
    const { memory, input, output, batch } = this.#exports;
    const fits = (address: number, bytes: number): boolean =>
      (address >>> 0) + batch.value * bytes <= memory.buffer.byteLength;
    const { inputBytes, outputBytes } = emulator;
    if (batch.value < 1 || !fits(input.value, inputBytes) || !fits(output.value, outputBytes)) {
      fail("N2F_BUNDLE_CORRUPT", "packets do not fit the emulator's memory", {
        at: emulator.name,
        hint: again,
      });
    }
  }

  get batch(): number {
    return this.#exports.batch.value;
  }

  /** Runs packets, batch after batch. */
  run(inputs: Uint8Array, count: number): Uint8Array {
    const { inputBytes, outputBytes } = this.#emulator;
    const { memory, input, output, batch, run } = this.#exports;
    const bytes = new Uint8Array(memory.buffer);
    const [from, to] = [input.value >>> 0, output.value >>> 0];
    const outputs = new Uint8Array(count * outputBytes);
    for (let first = 0; first < count; first += batch.value) {
      const samples = Math.min(batch.value, count - first);
      bytes.set(inputs.subarray(first * inputBytes, (first + samples) * inputBytes), from);
      try {
        run(samples);
      } catch (cause) {
        throw stopped(this.#emulator.name, cause as Error);
      }
      outputs.set(bytes.subarray(to, to + samples * outputBytes), first * outputBytes);
    }
    return outputs;
  }
}

/** Generated code never traps, so this is no fault of the user's. */
export function stopped(name: string, cause: Error): InternalError {
  const error = new InternalError(`the emulator of ${name} stopped: ${cause.message}`);
  error.cause = cause;
  return error;
}

/** An emulator from the bytes of its module, without a bundle: for who has just made it. */
export function instantiateEmulator(
  name: string,
  bytes: Uint8Array,
  ports: { readonly inputs: readonly PortTensor[]; readonly outputs: readonly PortTensor[] },
): EmulatorInstance {
  return new EmulatorInstance({
    name,
    module: new webAssembly.Module(bytes),
    inputBytes: packetBytes(ports.inputs),
    outputBytes: packetBytes(ports.outputs),
  });
}
