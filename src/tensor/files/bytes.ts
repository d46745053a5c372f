import { randomBytes } from "node:crypto";
import {
  closeSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { fail } from "../../base/index.ts";

/** What one buffer of Node 20 can hold, and what a reader of files will take. */
const maxFileBytes = 2 ** 32;

/** One call of the system reads no more than 2 GiB. */
const chunkBytes = 2 ** 30;

/**
 * A whole file.
 * @throws N2F_FILE_READ if it is missing, too large, or no plain file (a pipe would block)
 */
export function readBytes(path: string): Buffer {
  try {
    return readRange(path, ({ isFile, size }) => {
      if (!isFile) {
        fail("N2F_FILE_READ", "this is not a file", { at: path, hint: "Give the path of a file." });
      }
      if (size > maxFileBytes) {
        fail("N2F_FILE_READ", `the file has ${size} bytes; ${maxFileBytes} are possible`, {
          at: path,
          hint: "Split it into several files.",
        });
      }
      return { offset: 0, byteCount: size };
    });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const isMissing = error.code === "ENOENT" || error.code === "ENOTDIR";
    fail("N2F_FILE_READ", isMissing ? "there is no such file" : error.message, {
      at: path,
      hint: isMissing ? "Check the path; it is relative to the current folder." : "Check access.",
      cause: error,
    });
  }
}

/**
 * A part of a file, chosen (or refused, by throwing) when its size is known; shorter than chosen
 * if the file ends before. Does not open what is no plain file.
 * @throws what the system throws, and what `choose` throws
 */
export function readRange(
  path: string,
  choose: (file: { isFile: boolean; size: number }) => { offset: number; byteCount: number },
): Buffer {
  const stat = statSync(path);
  const { offset, byteCount } = choose({ isFile: stat.isFile(), size: stat.size });
  const buffer = Buffer.allocUnsafeSlow(byteCount);
  const file = openSync(path, "r");
  try {
    let filled = 0;
    while (filled < byteCount) {
      const wanted = Math.min(chunkBytes, byteCount - filled);
      const got = readSync(file, buffer, filled, wanted, offset + filled);
      if (got === 0) break;
      filled += got;
    }
    return buffer.subarray(0, filled);
  } finally {
    closeSync(file);
  }
}

/**
 * Writes a file as a whole or not at all: readers see the old one or the new one.
 * @throws N2F_FILE_WRITE
 */
export function writeBytes(path: string, bytes: Uint8Array): void {
  const suffix = `${process.pid}-${randomBytes(4).toString("hex")}`;
  const temporary = join(dirname(path), `.${basename(path)}.${suffix}.tmp`);
  try {
    writeFileSync(temporary, bytes, { flag: "wx" });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    if (!isSystemError(error)) throw error;
    fail("N2F_FILE_WRITE", `cannot write the file: ${error.message}`, {
      at: path,
      hint: "Check that the folder exists, may be written to, and has space.",
      cause: error,
    });
  }
}

/** Whether the system, and not a program, made the error. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error;
}
