/**
 * What a field of a message is: a number, a list of numbers (packed or not), `text` (string or
 * bytes), or the name of another message.
 */
export type WireField = keyof typeof numbers | "text" | (string & {});

/** Fields of each message by number. Fields that are not listed are skipped. */
export type WireSchema = Readonly<Record<string, Readonly<Record<number, WireField>>>>;

interface NumberField {
  readonly wireType: 0 | 1 | 5;
  readonly isList: boolean;
  /** Memory that one takes once decoded; 64-bit integers become objects. */
  readonly heapBytes: number;
  /** Bytes of a variable-length integer, unless it is the ten of a negative int32. */
  readonly mostBytes?: 5 | 10;
}

const numbers = {
  int32: { wireType: 0, isList: false, heapBytes: 12, mostBytes: 5 },
  int64: { wireType: 0, isList: false, heapBytes: 64, mostBytes: 10 },
  float: { wireType: 5, isList: false, heapBytes: 12 },
  int32s: { wireType: 0, isList: true, heapBytes: 12, mostBytes: 5 },
  int64s: { wireType: 0, isList: true, heapBytes: 64, mostBytes: 10 },
  floats: { wireType: 5, isList: true, heapBytes: 12 },
  doubles: { wireType: 1, isList: true, heapBytes: 12 },
} as const satisfies Readonly<Record<string, NumberField>>;

/** Nesting that a reader of protobuf allows; the official ones have the same limit. */
const maxDepth = 100;

/** What the decoded objects may take in memory, by estimate. */
const maxHeapBytes = 2 ** 30;
const messageHeapBytes = 500;
const textHeapBytes = 200;

interface OpenMessage {
  readonly name: string;
  readonly end: number;
}

/**
 * Walks through a protobuf message without building anything and tells what is wrong with it, if
 * anything is. The library that decodes trusts lengths and wire types, calls itself for every
 * nested message and makes an object of every 64-bit integer, so it is shown only bytes that fit
 * the schema, nest no deeper than `maxDepth` and become no more than `maxHeapBytes` of objects.
 *
 * @returns the end of a sentence, with the offset of the first fault: `byte 17: ...`
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function wireFault(bytes: Uint8Array, schema: WireSchema, root: string): string | undefined {
  const cursor = new Cursor(bytes);
  const open: OpenMessage[] = [{ name: root, end: bytes.length }];
  let heap = 0;
  while (open.length > 0) {
    const { name, end } = open[open.length - 1];
    if (cursor.position === end) {
      open.pop();
      continue;
    }
    const start = cursor.position;
    const fault = (what: string) => `byte ${start}: ${what}, inside ${name}`;
    const tag = cursor.varint(end, 5);
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (!(number >= 1 && number < 2 ** 29)) return fault("no field starts here");
    const field: WireField | undefined = schema[name][number];
    const numeric: NumberField | undefined = (numbers as Record<string, NumberField>)[field];

    if (wireType === 2) {
      const length = cursor.varint(end, 5);
      const left = end - cursor.position;
      if (Number.isNaN(length)) return fault(`field ${number} has no length`);
      if (length > left) {
        return fault(`field ${number} claims ${length} bytes where ${left} are left`);
      }
      const fieldEnd = cursor.position + length;
      if (field === undefined || field === "text") {
        cursor.position = fieldEnd;
        if (field === "text") heap += textHeapBytes;
      } else if (numeric !== undefined) {
        if (!numeric.isList) return fault(misplaced(number));
        const items = cursor.list(numeric, fieldEnd);
        if (Number.isNaN(items)) return fault(`the list in field ${number} is damaged`);
        heap += items * numeric.heapBytes;
      } else {
        if (open.length === maxDepth) return fault(`messages nest deeper than ${maxDepth} levels`);
        open.push({ name: field, end: fieldEnd });
        heap += messageHeapBytes;
      }
    } else if (wireType === 0 || wireType === 1 || wireType === 5) {
      if (field !== undefined && numeric?.wireType !== wireType) return fault(misplaced(number));
      if (!cursor.skip(wireType, numeric?.mostBytes ?? 10, end)) {
        return fault(`field ${number} is cut off`);
      }
      heap += numeric?.heapBytes ?? 0;
    } else {
      return fault(`wire type ${wireType} of field ${number} is not in use`);
    }
    if (heap > maxHeapBytes) {
      return fault(`the fields up to here would take more than ${maxHeapBytes / 2 ** 20} MiB`);
    }
  }
  return undefined;
}

function misplaced(number: number): string {
  return `field ${number} has the wrong type`;
}

class Cursor {
  position = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * The next variable-length integer, NaN where it does not stop before `end`. Above 2^53 the
   * value is approximate.
   * @param mostBytes that it may have. A negative int32 has ten and is let through too, but nothing
   *   between: the library would lose its place.
   */
  varint(end: number, mostBytes: 5 | 10): number {
    const bytes = this.#bytes;
    let value = 0;
    let scale = 1;
    for (let length = 1; length <= 10 && this.position < end; length++) {
      const byte = bytes[this.position++];
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte < 128) return length <= mostBytes || length === 10 ? value : Number.NaN;
    }
    return Number.NaN;
  }

  /** Steps over one number; false where it does not stop before `end`. */
  skip(wireType: 0 | 1 | 5, mostBytes: 5 | 10, end: number): boolean {
    if (wireType === 0) return !Number.isNaN(this.varint(end, mostBytes));
    this.position += wireType === 1 ? 8 : 4;
    return this.position <= end;
  }

  /** Steps over a packed list that fills the space up to `end`; returns its length, or NaN. */
  list({ wireType, mostBytes = 10 }: NumberField, end: number): number {
    let items = 0;
    while (this.position < end) {
      if (!this.skip(wireType, mostBytes, end)) return Number.NaN;
      items++;
    }
    return items;
  }
}
