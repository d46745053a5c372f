import { type Manifest, packetBytes } from "../../artifact/index.ts";
import type { Kernel } from "../../runtime/index.ts";
import { BufferPool } from "../core/buffer-pool.ts";
import type { ModelSignature } from "../core/signature.ts";
import type { Executor, RunPart } from "../scheduler/executor.ts";
import type { DeviceLane } from "../scheduler/lane.ts";
import type { RunTimes } from "../scheduler/recorder.ts";
import { type PackTensor, packerOf, type UnpackTensor, unpackerOf } from "./convert.ts";

/** Packets of runs, in memory that the emulator's threads see too, so that it copies nothing. */
const packetPool = new BufferPool({ isShared: true });

interface Input {
  readonly place: number;
  readonly offsetBytes: number;
  /** Bytes of a row as the request has it. */
  readonly rowBytes: number;
  readonly pack: PackTensor;
}

interface Output {
  readonly place: number;
  readonly offsetBytes: number;
  readonly rowBytes: number;
  readonly unpack: UnpackTensor;
}

/** A bundle's kernel on one compute unit. */
export class BundleExecutor implements Executor {
  readonly maxRows: number;
  readonly isBatching = true;
  readonly lane: DeviceLane;
  readonly #kernel: Kernel;
  readonly #inputs: readonly Input[];
  readonly #outputs: readonly Output[];
  readonly #inputStride: number;
  readonly #outputStride: number;

  /** @param signature its tensors have the manifest's names */
  constructor(
    kernel: Kernel,
    manifest: Manifest,
    signature: ModelSignature,
    lane: DeviceLane,
    maxRows: number,
  ) {
    this.#kernel = kernel;
    this.lane = lane;
    this.maxRows = maxRows;
    this.#inputStride = packetBytes(manifest.inputs);
    this.#outputStride = packetBytes(manifest.outputs);
    this.#inputs = signature.inputs.map(({ name, datatype, rowBytes }, place) => {
      const port = portOf(manifest.inputs, name);
      const { offsetBytes } = port;
      return { place, offsetBytes, rowBytes, pack: packerOf(port, datatype) };
    });
    this.#outputs = signature.outputs.map(({ name, datatype, rowBytes }, place) => {
      const port = portOf(manifest.outputs, name);
      const { offsetBytes } = port;
      return { place, offsetBytes, rowBytes, unpack: unpackerOf(port, datatype) };
    });
  }

  async run(parts: readonly RunPart[], rows: number): Promise<RunTimes> {
    const started = performance.now();
    const packets = packetPool.take(rows * this.#inputStride);
    try {
      this.#pack(parts, packets.bytes);
      const packed = performance.now();
      const answers = await this.#kernel.run(packets.bytes, rows);
      const computed = performance.now();
      this.#unpack(parts, answers);
      return {
        inputMs: packed - started,
        inferMs: computed - packed,
        outputMs: performance.now() - computed,
      };
    } finally {
      packetPool.give(packets);
    }
  }

  close(): Promise<void> {
    return this.#kernel.close();
  }

  #pack(parts: readonly RunPart[], bytes: Uint8Array): void {
    const strideBytes = this.#inputStride;
    let at = 0;
    for (const { request, firstRow, rows } of parts) {
      for (const { place, offsetBytes, rowBytes, pack } of this.#inputs) {
        const raw = request.input(place).bytes;
        // A request that was cancelled meanwhile has its buffers still: a run holds them.
        pack(raw.subarray(firstRow * rowBytes, (firstRow + rows) * rowBytes), rows, {
          bytes,
          at: at + offsetBytes,
          strideBytes,
        });
      }
      at += rows * strideBytes;
    }
  }

  #unpack(parts: readonly RunPart[], bytes: Uint8Array): void {
    const strideBytes = this.#outputStride;
    let at = 0;
    for (const { request, firstRow, rows } of parts) {
      for (const { place, offsetBytes, rowBytes, unpack } of this.#outputs) {
        if (request.isSettled || !request.isWanted(place)) continue;
        const raw = request.output(place);
        unpack(
          { bytes, at: at + offsetBytes, strideBytes },
          rows,
          raw.subarray(firstRow * rowBytes, (firstRow + rows) * rowBytes),
        );
      }
      at += rows * strideBytes;
    }
  }
}

function portOf<Port extends { readonly name: string }>(
  ports: readonly Port[],
  name: string,
): Port {
  // The config was checked against the manifest.
  return ports.find((port) => port.name === name) as Port;
}
