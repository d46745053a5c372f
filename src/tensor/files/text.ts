import { decodeElements, type ElementType, encodeElements, maxElements } from "../element.ts";
import type { NamedTensor } from "../named-tensor.ts";
import { quote } from "../quote.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { type Damaged, refuseMisfit } from "./damaged.ts";

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const special = /^([+-]?)(nan|inf(?:inity)?)$/i;
const maxLineBytes = 2 ** 26;

/**
 * Reads a table of numbers as `[rows, columns]`, float64. A line is a sample; its numbers are
 * parted by commas, or by white space if it has no comma; `#` begins a comment. The first line may
 * be names: it is skipped if nothing in it is a number.
 */
export function readText(bytes: Uint8Array, refuse: Damaged): NamedTensor {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (hasControlBytes(file)) {
    refuse("this is not a text file", "Raw bytes belong into a .npy file; .csv and .dat are text.");
  }
  const values = new GrowingList();
  let columns = 0;
  let rows = 0;
  let isFirst = true;
  for (const { text, lineNumber } of linesOf(file, refuse)) {
    const fields = text.includes(",") ? text.split(",") : text.split(/\s+/);
    const numbers = fields.map((field) => parseNumber(field.trim()));
    const wrong = numbers.indexOf(undefined);
    const isHeader = isFirst && numbers.every((number) => number === undefined);
    isFirst = false;
    if (isHeader) continue;
    if (wrong >= 0) {
      refuse(
        `line ${lineNumber}, column ${wrong + 1}: ${quote(fields[wrong].trim())} is not a number`,
        "Only the first line may have names, and then nothing else.",
      );
    }
    if (rows === 0) columns = numbers.length;
    if (numbers.length !== columns) {
      refuse(
        `line ${lineNumber} has ${numbers.length} numbers; the first row has ${columns}`,
        "Each line is one sample, all of the same length.",
      );
    }
    rows++;
    if (rows * columns > maxElements) refuse(`more than ${maxElements} numbers`, "Split the file.");
    for (const number of numbers) values.push(number as number);
  }
  if (rows === 0) refuse("the file has no numbers");
  const tensor: Tensor = { shape: [rows, columns], dtype: "float", data: values.take() };
  return { name: "", tensor, elementType: "float64" };
}

/** Writes the first axis as lines and the others side by side; commas for `.csv`, blanks else. */
export function writeText(
  tensor: Tensor,
  elementType: ElementType,
  separator: string,
  refuse: Damaged,
): Uint8Array {
  const columns = sizeOf(tensor.shape.slice(1));
  const count = tensor.data.length;
  if (count === 0) refuse("an empty array cannot be written as text", "Write a .npy file.");
  const bytes = encodeElements(tensor.data, elementType, refuseMisfit(elementType, refuse));
  const data = decodeElements(bytes, elementType, count, Number);
  const lines: string[] = [];
  for (let start = 0; start < count; start += columns) {
    const row = Array.from(data.subarray(start, start + columns), numberText);
    lines.push(`${row.join(separator)}\n`);
  }
  return Buffer.from(lines.join(""));
}

/** Lines without comments, blanks at the ends, and line ends of any system; none that is empty. */
function* linesOf(
  file: Buffer,
  refuse: Damaged,
): Generator<{ readonly text: string; readonly lineNumber: number }> {
  let start = file.toString("latin1", 0, 3) === "\xef\xbb\xbf" ? 3 : 0;
  for (let lineNumber = 1; start < file.length; lineNumber++) {
    const newline = file.indexOf(10, start);
    const end = newline < 0 ? file.length : newline;
    if (end - start > maxLineBytes) refuse(`line ${lineNumber} has ${end - start} bytes`);
    const text = file.toString("utf8", start, end).replace(/#.*/s, "").trim();
    if (text !== "") yield { text, lineNumber };
    start = end + 1;
  }
}

/** As binary files have them early on, and text has none but tabs, line ends and form feeds. */
function hasControlBytes(file: Buffer): boolean {
  return file.subarray(0, 4096).some((byte) => byte < 9 || (byte > 13 && byte < 32));
}

function parseNumber(text: string): number | undefined {
  if (decimal.test(text)) return Number(text);
  const match = special.exec(text);
  if (match === null) return undefined;
  if (match[2].toLowerCase() === "nan") return Number.NaN;
  return match[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Object.is(value, -0) ? "-0" : String(value);
}

/** A list of doubles that takes eight bytes for each. */
class GrowingList {
  #data = new Float64Array(1024);
  #length = 0;

  push(value: number): void {
    if (this.#length === this.#data.length) {
      const larger = new Float64Array(2 * this.#length);
      larger.set(this.#data);
      this.#data = larger;
    }
    this.#data[this.#length++] = value;
  }

  take(): Float64Array {
    return this.#data.slice(0, this.#length);
  }
}
