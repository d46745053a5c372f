import { fail } from "../../base/index.ts";
import type { Field, FieldKind, Message } from "./config-schema.ts";

/** A message as data: what JSON would say of it. */
export type TextMessage = { [field: string]: unknown };

/**
 * Reads protobuf's text format by a schema. 64-bit integers become numbers, enums their names, maps objects.
 *
 * @param path stands in errors
 * @throws N2F_CONFIG_INVALID with line and column
 * @see https://protobuf.dev/reference/protobuf/textformat-spec/
 */
export function parseTextFormat(text: string, schema: Message, path: string): TextMessage {
  return new Parser(text, path).file(schema);
}

interface Token {
  readonly kind: "name" | "number" | "string" | "mark" | "end";
  readonly text: string;
  readonly at: number;
}

const tokenPattern =
  /(?<space>(?:\s|#[^\n]*)+)|(?<name>[A-Za-z_][A-Za-z0-9_./]*)|(?<number>(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[fF]?)|(?<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?<mark>[{}<>[\]:,;-])/y;

/** Messages inside messages; no configuration is as deep. */
const deepest = 64;

class Parser {
  readonly #text: string;
  readonly #path: string;
  readonly #tokens: Token[] = [];
  #next = 0;
  #depth = 0;

  constructor(text: string, path: string) {
    this.#text = text;
    this.#path = path;
    tokenPattern.lastIndex = 0;
    while (tokenPattern.lastIndex < text.length) {
      const at = tokenPattern.lastIndex;
      const groups = tokenPattern.exec(text)?.groups;
      if (groups === undefined) {
        this.#fail(at, `unexpected character ${JSON.stringify(text[at])}`);
      }
      for (const kind of ["name", "number", "string", "mark"] as const) {
        if (groups[kind] !== undefined) this.#tokens.push({ kind, text: groups[kind], at });
      }
    }
    this.#tokens.push({ kind: "end", text: "the end of the file", at: text.length });
  }

  file(schema: Message): TextMessage {
    const message = this.#fields(schema, undefined);
    return message;
  }

  #fields(schema: Message | undefined, end: string | undefined): TextMessage {
    if (++this.#depth > deepest)
      this.#fail(this.#peek().at, `more than ${deepest} levels of messages`);
    const message: TextMessage = {};
    for (;;) {
      const token = this.#take();
      if (end === undefined ? token.kind === "end" : token.text === end) break;
      if (token.kind !== "name") {
        this.#fail(token.at, `expected the name of a field, got ${token.text}`);
      }
      const field = fieldOf(schema, token.text);
      if (field === undefined) {
        this.#fail(
          token.at,
          `there is no field "${token.text}" here`,
          `Fields are ${Object.keys(schema?.fields ?? {}).join(", ")}.`,
        );
      }
      this.#field(message, token, field ?? { kind: "any" }, schema === undefined);
      if (this.#isMark(",") || this.#isMark(";")) this.#take();
    }
    this.#depth--;
    return message;
  }

  #field(message: TextMessage, name: Token, field: Field, isOpen: boolean): void {
    const hasColon = this.#isMark(":");
    if (hasColon) this.#take();
    const values = this.#isMark("[") ? this.#list(field) : [this.#value(field, hasColon)];
    const key = name.text;
    if (field.isMap === true) {
      const entries = place(message, key, () => ({})) as TextMessage;
      for (const entry of values as TextMessage[]) {
        const entryKey = String(entry["key"] ?? "");
        if (entryKey === "__proto__") this.#fail(name.at, "a map has no such key");
        entries[entryKey] = entry["value"] ?? emptyValue(field.kind);
      }
    } else if (field.isRepeated === true) {
      const list = place(message, key, () => []) as unknown[];
      for (const value of values) list.push(value);
    } else if (message[key] === undefined) {
      message[key] = values.length === 1 ? values[0] : values;
    } else if (isOpen) {
      // A field that nobody knows is repeated when it comes again.
      message[key] = [message[key], values].flat();
    } else this.#fail(name.at, `field "${key}" is given twice`);
  }

  #list(field: Field): unknown[] {
    this.#take();
    const values: unknown[] = [];
    while (!this.#isMark("]")) {
      values.push(this.#value(field, true));
      if (this.#isMark(",")) this.#take();
      else if (!this.#isMark("]"))
        this.#fail(this.#peek().at, `expected , or ], got ${this.#peek().text}`);
    }
    this.#take();
    return values;
  }

  #value(field: Field, hasColon: boolean): unknown {
    const open = this.#peek();
    const { kind } = field;
    if (open.text === "{" || open.text === "<") {
      if (typeof kind === "string" && kind !== "any" && field.isMap !== true) {
        this.#fail(open.at, `expected ${wanted[kind]}, got a message`);
      }
      this.#take();
      const schema =
        field.isMap === true ? entrySchema(kind) : typeof kind === "string" ? undefined : kind;
      return this.#fields(schema, open.text === "{" ? "}" : ">");
    }
    if (typeof kind !== "string" || field.isMap === true) {
      return this.#fail(open.at, `expected { and the fields of a message, got ${open.text}`);
    }
    if (!hasColon) this.#fail(open.at, `expected :, got ${open.text}`);
    return this.#scalar(kind);
  }

  #scalar(kind: Exclude<FieldKind, Message>): unknown {
    const isNegative = this.#isMark("-");
    if (isNegative) this.#take();
    const token = this.#take();
    const refuse = (): never =>
      this.#fail(token.at, `expected ${wanted[kind]}, got ${isNegative ? "-" : ""}${token.text}`);
    if (token.kind === "string") {
      if (isNegative || (kind !== "string" && kind !== "any")) refuse();
      let value = this.#unquote(token);
      while (this.#peek().kind === "string") value += this.#unquote(this.#take());
      return value;
    }
    if (token.kind === "number") {
      if (kind === "string" || kind === "enum") refuse();
      const value = numberOf(token.text) * (isNegative ? -1 : 1);
      if (kind === "bool") return value === 0 ? false : value === 1 ? true : refuse();
      if (kind === "int" && !Number.isSafeInteger(value)) refuse();
      return value;
    }
    if (token.kind !== "name") refuse();
    const isTruth = ["true", "t", "True", "false", "f", "False"].includes(token.text);
    if (kind === "bool") return isTruth ? /^[tT]/.test(token.text) : refuse();
    if (kind === "any" && isTruth && token.text.length > 1) return /^[tT]/.test(token.text);
    if (kind === "float" && /^(inf|infinity|nan)$/i.test(token.text)) {
      return /^n/i.test(token.text) ? Number.NaN : isNegative ? -Infinity : Infinity;
    }
    return kind === "enum" || kind === "any" ? token.text : refuse();
  }

  #unquote({ text, at }: Token): string {
    const bytes: Buffer[] = [];
    const escapes =
      /\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))|[^\\]+/gs;
    for (const [whole, octal, hex, u, U, char] of text.slice(1, -1).matchAll(escapes)) {
      if (octal !== undefined) bytes.push(Buffer.of(Number.parseInt(octal, 8) & 255));
      else if (hex !== undefined) bytes.push(Buffer.of(Number.parseInt(hex, 16)));
      else if (u !== undefined || U !== undefined) {
        const point = Number.parseInt(u ?? U, 16);
        if (point > 0x10ffff) this.#fail(at, `there is no character ${whole}`);
        bytes.push(Buffer.from(String.fromCodePoint(point)));
      } else if (char !== undefined) {
        const plain = simpleEscapes[char];
        if (plain === undefined) this.#fail(at, `there is no escape ${whole}`);
        bytes.push(Buffer.from(plain));
      } else bytes.push(Buffer.from(whole));
    }
    return Buffer.concat(bytes).toString("utf8");
  }

  #peek(): Token {
    return this.#tokens[this.#next];
  }

  #take(): Token {
    const token = this.#tokens[this.#next];
    if (token.kind !== "end") this.#next++;
    else if (this.#depth > 1) this.#fail(token.at, "the file ends inside a message");
    return token;
  }

  #isMark(mark: string): boolean {
    const token = this.#peek();
    return token.kind === "mark" && token.text === mark;
  }

  #fail(at: number, message: string, hint?: string): never {
    const before = this.#text.slice(0, at).split("\n");
    const place = `${this.#path}:${before.length}:${(before.at(-1) as string).length + 1}`;
    return fail("N2F_CONFIG_INVALID", message, {
      at: place,
      ...(hint !== undefined && { hint }),
    });
  }
}

const wanted: Readonly<Record<Exclude<FieldKind, Message>, string>> = {
  string: "a text in quotes",
  int: "an integer",
  float: "a number",
  bool: "true or false",
  enum: "a name without quotes",
  any: "a value",
};

const simpleEscapes: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "?": "?",
};

/** What a message has for a field, made first where there is nothing yet. */
function place(message: TextMessage, key: string, make: () => unknown): unknown {
  message[key] ??= make();
  return message[key];
}

function fieldOf(schema: Message | undefined, name: string): Field | undefined {
  if (schema === undefined) return name === "__proto__" ? undefined : { kind: "any" };
  return Object.hasOwn(schema.fields, name) ? schema.fields[name] : undefined;
}

function entrySchema(kind: FieldKind): Message {
  return { fields: { key: { kind: "any" }, value: { kind } } };
}

function emptyValue(kind: FieldKind): unknown {
  if (typeof kind !== "string") return {};
  return kind === "string" || kind === "enum" ? "" : kind === "bool" ? false : 0;
}

function numberOf(text: string): number {
  if (/^0[xX]/.test(text)) return Number(text);
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  return Number(text.replace(/[fF]$/, ""));
}

/** The text form of a message: fields in the schema's order, then the others. It parses back to the same. */
export function printTextFormat(message: TextMessage, schema: Message): string {
  return printFields(message, schema, "");
}

function printFields(message: TextMessage, schema: Message | undefined, indent: string): string {
  const known = Object.keys(schema?.fields ?? {}).filter((name) => message[name] !== undefined);
  const others = Object.keys(message).filter((name) => !known.includes(name));
  return [...known, ...others]
    .map((name) => printField(name, message[name], fieldOf(schema, name), indent))
    .join("");
}

function printField(
  name: string,
  value: unknown,
  field: Field | undefined,
  indent: string,
): string {
  const kind = field?.kind ?? "any";
  const schema = typeof kind === "string" ? undefined : kind;
  if (field?.isMap === true) {
    return Object.entries(value as TextMessage)
      .map(([key, entry]) => {
        const isNumber = /^\d+$/.test(key) && name === "priority_queue_policy";
        const fields = { key: isNumber ? Number(key) : key, value: entry };
        return `${indent}${name} {\n${printFields(fields, { fields: { key: { kind: "any" }, value: { kind } } }, `${indent}  `)}${indent}}\n`;
      })
      .join("");
  }
  if (Array.isArray(value)) {
    if (value.every((entry) => typeof entry !== "object")) {
      return `${indent}${name}: [${value.map((entry) => printScalar(entry, kind)).join(", ")}]\n`;
    }
    return value.map((entry) => printField(name, entry, field, indent)).join("");
  }
  if (typeof value === "object" && value !== null) {
    return `${indent}${name} {\n${printFields(value as TextMessage, schema, `${indent}  `)}${indent}}\n`;
  }
  return `${indent}${name}: ${printScalar(value, kind)}\n`;
}

function printScalar(value: unknown, kind: FieldKind): string {
  if (typeof value !== "string") return Object.is(value, -0) ? "0" : String(value);
  // Enums of messages that nobody knows have lost their kind; by custom they are in capitals.
  const isEnum = kind === "enum" || (kind === "any" && /^[A-Z][A-Z0-9_]+$/.test(value));
  return isEnum ? value : JSON.stringify(value).replace(/\u007f/g, "\\177");
}
