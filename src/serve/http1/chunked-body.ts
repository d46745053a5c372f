import { HttpError } from "./http-error.ts";

const [tab, lf, cr, colon, semicolon, equals] = [0x09, 0x0a, 0x0d, 0x3a, 0x3b, 0x3d];
const letters = Buffer.from(
  "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
);

/** Bytes of extensions and trailers in one body, at most. */
const maxExtraBytes = 16 * 1024;
/** More digits are no size that could be met. */
const maxSizeDigits = 12;

type State = "size" | Extension | "size-end" | "data" | "data-cr" | "data-lf" | Trailer | "done";
type Extension = "extension" | "extension-value";
/** At the start of a line, in its name, in its value, behind its CR, behind the last CR. */
type Trailer = "line" | "name" | "value" | "trailer-end" | "last";

/**
 * Takes the chunked coding off a body. Extensions and trailers are passed over.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-7.1
 */
export class ChunkedBody {
  #state: State = "size";
  #digits = 0;
  #size = 0;
  #extraBytes = 0;
  /** Of a name or a value of an extension, which must not be empty. */
  #letters = 0;

  get isDone(): boolean {
    return this.#state === "done";
  }

  /**
   * Reads from `at` on, to the end of the body or of the bytes, and gives the place behind.
   * @throws HttpError
   */
  read(bytes: Buffer, from: number, take: (piece: Buffer) => void): number {
    let at = from;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state !== "data") {
        this.#step(bytes[at++]);
        continue;
      }
      const end = Math.min(bytes.length, at + this.#size);
      this.#size -= end - at;
      if (this.#size === 0) this.#state = "data-cr";
      take(bytes.subarray(at, end));
      at = end;
    }
    return at;
  }

  #step(byte: number): void {
    switch (this.#state) {
      case "size":
        this.#digit(byte);
        return;
      case "extension":
      case "extension-value":
        this.#extension(byte);
        return;
      case "size-end":
        expect(byte, lf);
        this.#state = this.#size === 0 ? "line" : "data";
        this.#digits = 0;
        return;
      case "data-cr":
        expect(byte, cr);
        this.#state = "data-lf";
        return;
      case "data-lf":
        expect(byte, lf);
        this.#state = "size";
        return;
      case "line":
        if (byte === cr) this.#state = "last";
        else this.#name(byte);
        return;
      case "name":
        if (byte === colon) this.#state = "value";
        else this.#name(byte);
        return;
      case "value":
        if (byte === cr) this.#state = "trailer-end";
        else if ((byte < 0x20 && byte !== tab) || byte === 0x7f) throw malformed();
        else this.#count();
        return;
      case "trailer-end":
        expect(byte, lf);
        this.#count();
        this.#state = "line";
        return;
      case "last":
        expect(byte, lf);
        this.#state = "done";
    }
  }

  #digit(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#digits > maxSizeDigits) throw malformed();
      this.#size = this.#size * 16 + digit;
      return;
    }
    if (this.#digits === 0) throw malformed();
    if (byte === cr) this.#state = "size-end";
    else if (byte === semicolon) this.#state = "extension";
    else throw malformed();
    this.#letters = 0;
  }

  /** `;name=value`, of letters alone: nobody is known to send quoted ones. */
  #extension(byte: number): void {
    this.#count();
    if (isLetter(byte)) {
      this.#letters++;
      return;
    }
    if (this.#letters === 0) throw malformed();
    this.#letters = 0;
    if (byte === cr) this.#state = "size-end";
    else if (byte === semicolon) this.#state = "extension";
    else if (byte === equals && this.#state === "extension") this.#state = "extension-value";
    else throw malformed();
  }

  #name(byte: number): void {
    if (!isLetter(byte)) throw malformed();
    this.#state = "name";
    this.#count();
  }

  #count(): void {
    if (++this.#extraBytes > maxExtraBytes) {
      throw new HttpError(431, "the chunks' extensions and trailers are too long");
    }
  }
}

/** Whether a byte may stand in a name. */
function isLetter(byte: number): boolean {
  return letters.includes(byte);
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function expect(byte: number, expected: number): void {
  if (byte !== expected) throw malformed();
}

function malformed(): HttpError {
  return new HttpError(400, "the chunked body is malformed");
}
