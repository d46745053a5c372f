import { fail } from "../base/index.ts";
import { type Format, formatText, parsePrecision } from "../fixed/index.ts";
import { type DType, makeTensor, type Shape, sizeOf } from "../tensor/index.ts";
import {
  type Attrs,
  type AttrValue,
  type Graph,
  type GraphOutput,
  type OpValue,
  type Origin,
  type Quant,
  type Value,
  type ValueId,
  valueId,
} from "./graph.ts";
import type { Registry } from "./op.ts";
import { constQuant, primitiveOf, quantArgs } from "./quantize-value.ts";
import { Ranges } from "./ranges.ts";
import { graphProblems } from "./verify.ts";

/** Where the text form finds the constants that it does not write out. */
export interface BlobReader {
  get(type: string, offset: number, count: number): Float64Array;
}

/**
 * Reads the text form. Code intervals are not written but derived again, and every written format must be
 * the derived one.
 *
 * @throws N2F_GRAPH_TEXT with the line
 */
export function parseGraph(text: string, ops: Registry, blob?: BlobReader): Graph {
  const graph = new Parser(text, ops, blob).graph();
  const [problem] = graphProblems(graph, ops);
  if (problem !== undefined)
    fail("N2F_GRAPH_TEXT", problem.message, { at: problem.at ?? graph.name });
  return graph;
}

const tokenPattern =
  /\s*(?:("(?:[^"\\\n]|\\.)*")|(-?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|inf\b|nan\b))|(u?fixed<-?\d+,-?\d+>)|([A-Za-z_][A-Za-z0-9_]*)|([{}()[\]:,=])|(\S))/y;

interface Token {
  readonly kind: "string" | "number" | "format" | "word" | "mark" | "other" | "end";
  readonly text: string;
  readonly line: number;
}

const kinds = ["string", "number", "format", "word", "mark", "other"] as const;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  tokenPattern.lastIndex = 0;
  for (let at = 0; ; ) {
    const match = tokenPattern.exec(text);
    if (match === null) break;
    for (let i = at; i < tokenPattern.lastIndex; i++) if (text[i] === "\n") line++;
    at = tokenPattern.lastIndex;
    const group = match.slice(1).findIndex((part) => part !== undefined);
    tokens.push({ kind: kinds[group], text: match[group + 1], line });
  }
  tokens.push({ kind: "end", text: "the end", line });
  return tokens;
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #ops: Registry;
  readonly #blob: BlobReader | undefined;
  readonly #values = new Map<ValueId, Value>();
  readonly #outputs: GraphOutput[] = [];
  #at = 0;

  constructor(text: string, ops: Registry, blob: BlobReader | undefined) {
    this.#tokens = tokenize(text);
    this.#ops = ops;
    this.#blob = blob;
  }

  graph(): Graph {
    this.#take("word", "graph");
    const name = this.#string();
    this.#take("mark", "{");
    while (!this.#isNext("mark", "}")) this.#line({ name, values: this.#values, outputs: [] });
    this.#take("mark", "}");
    this.#take("end");
    return { name, values: this.#values, outputs: this.#outputs };
  }

  #line(graph: Graph): void {
    if (this.#skip("word", "output")) {
      const name = this.#string();
      this.#take("mark", "=");
      this.#outputs.push({ name, value: valueId(this.#string()) });
      return;
    }
    const kind = this.#skip("word", "input")
      ? "input"
      : this.#skip("word", "const")
        ? "const"
        : "op";
    const exact = kind === "const" && this.#skip("word", "exact") && { exact: true as const };
    const { line } = this.#tokens[this.#at];
    const id = valueId(this.#string());
    if (this.#values.has(id)) this.#wrong(`value "${id}" is made twice`);
    this.#take("mark", ":");
    const dtype = this.#dtype();
    const shape = this.#list("[", "]", () => this.#count());
    const format = this.#format();
    const base = { id, shape, dtype };
    if (kind === "input") {
      const quant = format && { quant: { format, ranges: Ranges.ofFormat(format) } };
      const integers = this.#skip("word", "of") ? this.#format() : undefined;
      const more = { ...quant, ...(integers && { integers }) };
      this.#values.set(id, { ...base, kind, origin: this.#origin(), ...more });
      return;
    }
    this.#take("mark", "=");
    if (kind === "const") {
      const data = makeTensorOf(shape, this.#data(), dtype, (message) => this.#wrong(message));
      const quant = format && { quant: constQuant(data, format) };
      this.#values.set(id, { ...base, ...exact, kind, data, origin: this.#origin(), ...quant });
      return;
    }
    const op = this.#take("word").text;
    if (!this.#ops.has(op)) this.#wrong(`there is no operator "${op}"`);
    const args = this.#list("(", ")", () => valueId(this.#string()));
    for (const arg of args)
      if (!this.#values.has(arg)) this.#wrong(`there is no value "${arg}" before this line`);
    const attrs = this.#attrs();
    const value: OpValue = { ...base, kind, op, args, attrs, origin: this.#origin() };
    if (format === undefined) {
      this.#values.set(id, value);
      return;
    }
    const quant = this.#derive(graph, value, line);
    if (formatText(quant.format) !== formatText(format)) {
      const message = `${op} gives ${formatText(quant.format)}, not ${formatText(format)}`;
      fail("N2F_GRAPH_TEXT", message, { at: `line ${line}` });
    }
    this.#values.set(id, { ...value, quant });
  }

  /** The operator's own word on its codes; whatever it objects to is a mistake in the line. */
  #derive(graph: Graph, value: OpValue, line: number): Quant {
    try {
      return primitiveOf(this.#ops, value.op).quant(quantArgs(graph, value), value.attrs);
    } catch (cause) {
      return fail("N2F_GRAPH_TEXT", (cause as Error).message, { at: `line ${line}`, cause });
    }
  }

  #attrs(): Attrs {
    const attrs: Record<string, AttrValue> = {};
    if (!this.#isNext("mark", "{")) return attrs;
    this.#list("{", "}", () => {
      const key = this.#take("word").text;
      this.#take("mark", "=");
      attrs[key] = this.#attr();
    });
    return attrs;
  }

  #attr(): AttrValue {
    if (this.#isNext("mark", "[")) return this.#list("[", "]", () => this.#number());
    if (this.#isNext("string")) return this.#string();
    if (this.#skip("word", "true")) return true;
    if (this.#skip("word", "false")) return false;
    return this.#number();
  }

  #data(): Float64Array {
    if (!this.#skip("word", "blob"))
      return Float64Array.from(this.#list("{", "}", () => this.#number()));
    const type = this.#take("word").text;
    const offset = this.#count();
    const count = this.#count();
    if (this.#blob === undefined)
      return this.#wrong("the constants are in another file, which was not given");
    return this.#blob.get(type, offset, count);
  }

  #dtype(): DType {
    const { text } = this.#take("word");
    if (text === "float" || text === "int" || text === "bool") return text;
    return this.#wrong(`"${text}" is no element type`);
  }

  #format(): Format | undefined {
    if (!this.#isNext("format")) return undefined;
    return parsePrecision(this.#take("format").text).format;
  }

  #origin(): Origin {
    this.#take("word", "from");
    return { node: this.#string(), type: this.#string() };
  }

  #list<T>(open: string, close: string, item: () => T): T[] {
    const items: T[] = [];
    this.#take("mark", open);
    if (this.#skip("mark", close)) return items;
    do items.push(item());
    while (this.#skip("mark", ","));
    this.#take("mark", close);
    return items;
  }

  #string(): string {
    const { text } = this.#take("string");
    try {
      return JSON.parse(text) as string;
    } catch {
      return this.#wrong(`${text} is no string`);
    }
  }

  #number(): number {
    const { text } = this.#take("number");
    if (text.endsWith("inf")) return text.startsWith("-") ? -Infinity : Infinity;
    return text === "nan" ? Number.NaN : Number(text);
  }

  #count(): number {
    const value = this.#number();
    if (!Number.isSafeInteger(value) || value < 0) this.#wrong(`${value} is no count`);
    return value;
  }

  #isNext(kind: Token["kind"], text?: string): boolean {
    const token = this.#tokens[this.#at];
    return token.kind === kind && (text === undefined || token.text === text);
  }

  #skip(kind: Token["kind"], text: string): boolean {
    const matches = this.#isNext(kind, text);
    if (matches) this.#at++;
    return matches;
  }

  #take(kind: Token["kind"], text?: string): Token {
    if (!this.#isNext(kind, text))
      this.#wrong(`expected ${text ?? `a ${kind}`} before ${this.#tokens[this.#at].text}`);
    return this.#tokens[this.#at++];
  }

  #wrong(message: string): never {
    const { line } = this.#tokens[Math.min(this.#at, this.#tokens.length - 1)];
    return fail("N2F_GRAPH_TEXT", message, { at: `line ${line}` });
  }
}

function makeTensorOf(
  shape: Shape,
  data: Float64Array,
  dtype: DType,
  wrong: (message: string) => never,
) {
  if (data.length !== sizeOf(shape)) wrong(`${data.length} numbers for ${sizeOf(shape)} elements`);
  return makeTensor(shape, data, dtype);
}
