import { realpathSync } from "node:fs";
import { dirname, isAbsolute, join, relative, sep, win32 } from "node:path";
import { fail } from "../base/index.ts";
import { isSystemError, readRange } from "./files/bytes.ts";
import { quote } from "./quote.ts";

/** Where a tensor says that its data is, word for word as the file has it. */
export interface ExternalReference {
  /** The tensor, for messages. */
  readonly label: string;
  /** Path of the file, relative to the model's folder, with `/` between the parts. */
  readonly location: string;
  readonly offset: string | undefined;
  readonly length: string | undefined;
  /** Bytes that type and shape ask for. */
  readonly byteCount: number;
}

/**
 * Fetches external data from beside a model, and from nowhere else: a model is a file from a
 * stranger. A link may lead around inside the model's folder, or the folder that the model itself
 * is a link into, as download caches have it.
 *
 * @throws N2F_ONNX_EXTERNAL, from the function returned
 * @see https://github.com/onnx/onnx/blob/v1.22.0/docs/ExternalData.md
 */
export function externalData(modelPath: string): (reference: ExternalReference) => Uint8Array {
  return (reference) => {
    const { label, location, byteCount } = reference;
    function refuse(what: string, hint: string, cause?: unknown): never {
      fail("N2F_ONNX_EXTERNAL", `${label} ${what}`, { at: modelPath, hint, cause });
    }
    const file = quote(location);
    const putBeside = `Put ${file} into the folder of the model.`;

    if (!isRelativeInside(location)) {
      refuse(
        `keeps its data in ${file}, which is not a file inside the model's folder`,
        "Save the model again, with its data inside or in a file beside it.",
      );
    }
    const offset = wholeNumber(reference.offset, 0);
    const length = wholeNumber(reference.length, byteCount);
    if (offset === undefined || length !== byteCount) {
      refuse(
        `asks for ${reference.length ?? byteCount} bytes at ${reference.offset ?? 0} of ${file}; its shape takes ${byteCount}`,
        "The model is damaged; export it again.",
      );
    }

    try {
      const path = realpathSync(join(dirname(modelPath), location));
      const homes = [realpathSync(dirname(modelPath)), dirname(realpathSync(modelPath))];
      if (!homes.some((home) => isInside(path, home))) {
        refuse(`keeps its data in ${file}, a link out of the model's folder`, putBeside);
      }
      return readRange(path, ({ isFile, size }) => {
        if (!isFile) refuse(`keeps its data in ${file}, which is no file`, putBeside);
        if (offset + byteCount > size) {
          refuse(
            `needs ${byteCount} bytes at ${offset} of ${file}, which has ${size}`,
            "Fetch that file again; it is incomplete or belongs to another model.",
          );
        }
        return { offset, byteCount };
      });
    } catch (error) {
      if (!isSystemError(error)) throw error;
      refuse(`keeps its data in ${file}: ${error.message}`, putBeside, error);
    }
  };
}

function isRelativeInside(location: string): boolean {
  if (location === "" || location.includes("\0")) return false;
  if (isAbsolute(location) || win32.isAbsolute(location) || /^[a-z]:/i.test(location)) return false;
  return !location.split(/[\\/]/).includes("..");
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function wholeNumber(text: string | undefined, absent: number): number | undefined {
  if (text === undefined) return absent;
  const value = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(value) ? value : undefined;
}
