import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes between two collections; well below the 64 MiB at which V8 marks its whole heap. */
const intervalBytes = 8 * 1024 * 1024;

/**
 * Frees the socket's chunks before they weigh on the whole heap.
 *
 * Node's streams read TLS into fresh buffers. Tensors fill many of those while few
 * JavaScript objects are made, so the young generation is seldom collected, and V8 starts to mark the whole
 * heap because of the buffers alone: a third of the CPU time of a server that takes images. All chunks are
 * dead as soon as they are copied, so a collection of the young generation now and then does it, for a tenth.
 */
export class ReadRelief {
  readonly #collect = minorCollection();
  #bytes = 0;

  /** Tells of bytes that were read and copied. */
  read(byteLength: number): void {
    this.#bytes += byteLength;
    if (this.#bytes < intervalBytes) return;
    this.#bytes = 0;
    this.#collect();
  }
}

/** V8's collection of the young generation; nothing where the engine does not offer it. */
function minorCollection(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("globalThis.gc") as ((options: object) => void) | undefined;
  setFlagsFromString("--no-expose-gc");
  return collect === undefined ? () => {} : () => collect({ type: "minor" });
}
