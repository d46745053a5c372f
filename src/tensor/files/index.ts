import { extname } from "node:path";
import { fail, Nn2fpgaError } from "../../base/index.ts";
import type { ElementType } from "../element.ts";
import type { NamedTensor } from "../named-tensor.ts";
import type { Tensor } from "../tensor.ts";
import { readBytes, writeBytes } from "./bytes.ts";
import { type Damaged, damaged } from "./damaged.ts";
import { readNpy, writeNpy } from "./npy.ts";
import { readNpz, writeNpz } from "./npz.ts";
import { readPb, writePb } from "./pb.ts";
import { readText, writeText } from "./text.ts";

export { readBytes, writeBytes } from "./bytes.ts";

/** How the files of one ending are read and written. */
interface FileFormat {
  read(bytes: Uint8Array, options: ReadOptions & { path: string }): readonly NamedTensor[];
  write(arrays: readonly NamedTensor[], refuse: Damaged): Uint8Array;
}

export interface ReadOptions {
  /** What an archive may unpack to; 4 GiB unless told otherwise. */
  readonly maxBytes?: number;
}

const defaultMaxBytes = 2 ** 32;

const formats: Readonly<Record<string, FileFormat>> = {
  ".npy": singleArray(
    (bytes, path) => readNpy(bytes, damaged(path)),
    ({ tensor, elementType }, refuse) => writeNpy(tensor, elementType, refuse),
  ),
  ".npz": {
    read: (bytes, { path, maxBytes = defaultMaxBytes }) => readNpz(bytes, maxBytes, damaged(path)),
    write: writeNpz,
  },
  ".pb": singleArray(
    (bytes, path) => readPb(bytes, path, damaged(path)),
    ({ tensor, elementType }, refuse) => writePb(tensor, elementType, refuse),
  ),
  ".csv": singleArray(
    (bytes, path) => readText(bytes, damaged(path)),
    ({ tensor, elementType }, refuse) => writeText(tensor, elementType, ",", refuse),
  ),
  ".dat": singleArray(
    (bytes, path) => readText(bytes, damaged(path)),
    ({ tensor, elementType }, refuse) => writeText(tensor, elementType, " ", refuse),
  ),
};

/** Endings of the data files that can be read and written. */
export const dataFileEndings: readonly string[] = Object.keys(formats);

/**
 * Reads all arrays of a data file; its ending says how.
 *
 * 64-bit integers beyond +-(2^53 - 1) are refused, not rounded.
 *
 * @throws N2F_FILE_READ, N2F_DATA_FORMAT; N2F_ONNX_DTYPE and N2F_ONNX_EXTERNAL for `.pb`
 */
export function readArrays(path: string, options: ReadOptions = {}): NamedTensor[] {
  const format = formatOf(path);
  const bytes = readBytes(path);
  try {
    return [...format.read(bytes, { ...options, path })];
  } catch (error) {
    // What is left are arrays that this machine has no memory for.
    if (error instanceof Nn2fpgaError || !(error instanceof RangeError)) throw error;
    fail("N2F_DATA_FORMAT", `the arrays do not fit into memory (${error.message})`, {
      at: path,
      hint: "Split the file.",
      cause: error,
    });
  }
}

/**
 * Writes one array; the ending says how. The file appears as a whole or not at all. Floats are
 * rounded to the nearest of the type; a number that an integer type cannot hold is refused.
 *
 * @throws N2F_FILE_WRITE, N2F_DATA_FORMAT
 */
export function writeArray(path: string, tensor: Tensor, elementType: ElementType): void {
  writeArrays(path, [{ name: "arr_0", tensor, elementType }]);
}

/**
 * Writes arrays by their names into an `.npz`. The other formats hold one array and no name.
 *
 * @throws N2F_FILE_WRITE, N2F_DATA_FORMAT
 */
export function writeArrays(path: string, arrays: readonly NamedTensor[]): void {
  writeBytes(path, formatOf(path).write(arrays, damaged(path)));
}

function formatOf(path: string): FileFormat {
  const ending = extname(path).toLowerCase();
  return (
    formats[ending] ??
    fail("N2F_DATA_FORMAT", `the ending "${ending}" says nothing about the format`, {
      at: path,
      hint: `Use one of ${dataFileEndings.join(", ")}.`,
    })
  );
}

function singleArray(
  read: (bytes: Uint8Array, path: string) => NamedTensor,
  write: (array: NamedTensor, refuse: Damaged) => Uint8Array,
): FileFormat {
  return {
    read: (bytes, { path }) => [read(bytes, path)],
    write: (arrays, refuse) =>
      arrays.length === 1
        ? write(arrays[0], refuse)
        : refuse(`${arrays.length} arrays do not go into one such file`, "Write an .npz file."),
  };
}
