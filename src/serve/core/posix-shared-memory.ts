import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { ServeError } from "./serve-error.ts";
import type { SharedMemoryRegion, SharedMemoryRegistry } from "./shared-memory.ts";

interface OpenRegion extends SharedMemoryRegion {
  readonly file: number;
}

/** Names that belong to servers. */
const reserved = /^(triton|nn2fpga)/;

/**
 * POSIX shared memory as Linux has it: files of `/dev/shm`. Tensors are copied out of and into them.
 */
export class PosixSharedMemory implements SharedMemoryRegistry {
  readonly isEnabled: boolean;
  readonly #folder: string;
  readonly #regions = new Map<string, OpenRegion>();

  constructor(isEnabled: boolean, folder = "/dev/shm") {
    this.isEnabled = isEnabled;
    this.#folder = folder;
  }

  register({ name, key, offset, byteSize }: SharedMemoryRegion): void {
    this.#checkEnabled();
    if (this.#regions.has(name)) {
      throw new ServeError("ALREADY_EXISTS", `shared memory region '${name}' already in manager`);
    }
    const file = key.replace(/^\//, "");
    if (
      file === "" ||
      file.includes("/") ||
      file.includes("\0") ||
      file === ".." ||
      reserved.test(file)
    ) {
      throw new ServeError("INVALID_ARG", `invalid shared memory key '${key}'`);
    }
    if (!isRange(offset, byteSize)) refuseRange(name);
    let descriptor: number;
    try {
      descriptor = openSync(`${this.#folder}/${file}`, "r+");
    } catch (cause) {
      throw new ServeError(
        "INTERNAL",
        `Unable to open shared memory region: '${key}'. The client must run on the same machine and in the same IPC namespace as the server.`,
        { cause },
      );
    }
    if (!fstatSync(descriptor).isFile() || fstatSync(descriptor).size < offset + byteSize) {
      closeSync(descriptor);
      refuseRange(name);
    }
    this.#regions.set(name, { name, key, offset, byteSize, file: descriptor });
  }

  unregister(name: string): void {
    for (const [known, { file }] of this.#regions) {
      if (name !== "" && known !== name) continue;
      this.#regions.delete(known);
      closeSync(file);
    }
  }

  status(name: string): readonly SharedMemoryRegion[] {
    if (name !== "") this.#find(name);
    return [...this.#regions.values()]
      .filter((region) => name === "" || region.name === name)
      .map(({ file: _file, ...region }) => region);
  }

  read(name: string, offset: number, into: Uint8Array): void {
    const { file, at } = this.#range(name, offset, into.length);
    for (let done = 0; done < into.length; ) {
      const count = readSync(file, into, done, into.length - done, at + done);
      if (count === 0) refuseRange(name);
      done += count;
    }
  }

  write(name: string, offset: number, byteSize: number, output: string, bytes: Uint8Array): void {
    if (byteSize < bytes.length) {
      throw new ServeError(
        "INVALID_ARG",
        `shared memory size specified with the request for output '${output}' (${byteSize} bytes) should be at least ${bytes.length} bytes to hold the results`,
      );
    }
    const { file, at } = this.#range(name, offset, byteSize);
    // A file that was cut short meanwhile must not grow again.
    if (fstatSync(file).size < at + bytes.length) refuseRange(name);
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(file, bytes, done, bytes.length - done, at + done);
    }
  }

  #range(name: string, offset: number, length: number): { file: number; at: number } {
    this.#checkEnabled();
    const region = this.#find(name);
    if (!isRange(offset, length) || offset + length > region.byteSize) refuseRange(name);
    return { file: region.file, at: region.offset + offset };
  }

  #find(name: string): OpenRegion {
    const region = this.#regions.get(name);
    if (region !== undefined) return region;
    throw new ServeError("NOT_FOUND", `Unable to find shared memory region: '${name}'`);
  }

  #checkEnabled(): void {
    if (this.isEnabled) return;
    throw new ServeError(
      "UNSUPPORTED",
      "shared memory of clients is not allowed; the operator can start the server with --shared-memory",
    );
  }
}

function isRange(offset: number, length: number): boolean {
  return offset >= 0 && length >= 0 && Number.isSafeInteger(offset + length);
}

function refuseRange(name: string): never {
  throw new ServeError(
    "INVALID_ARG",
    `Invalid offset + byte size for shared memory region: '${name}'`,
  );
}
