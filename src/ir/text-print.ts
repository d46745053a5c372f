import { type Format, formatText } from "../fixed/index.ts";
import { shapeText } from "../tensor/index.ts";
import type { AttrValue, Graph, Value } from "./graph.ts";

/** Where the text form puts constants that are too long to read. Gives the words that stand for them. */
export interface BlobWriter {
  put(data: Float64Array): { offset: number; type: string };
}

/** Constants up to this many elements are written out even where there is a blob. */
const inlineLimit = 16;

/**
 * The text form of a graph, one value a line, which `parseGraph` reads back to the same graph:
 *
 *     graph "jet" {
 *       input "x": float[1,16] fixed<8,4> from "x" "Input"
 *       const "w": float[16,5] fixed<6,1> = blob i8 0 80 from "fc" "Gemm"
 *       "y": float[1,5] fixed<16,7> = matmul("x", "w") from "fc" "Gemm"
 *       output "logits" = "y"
 *     }
 */
export function printGraph(graph: Graph, blob?: BlobWriter): string {
  const lines = [...graph.values.values()].map((value) => `  ${valueText(value, blob)}`);
  const outputs = graph.outputs.map(
    ({ name, value }) => `  output ${quote(name)} = ${quote(value)}`,
  );
  return [`graph ${quote(graph.name)} {`, ...lines, ...outputs, "}", ""].join("\n");
}

function valueText(value: Value, blob: BlobWriter | undefined): string {
  const format = value.quant === undefined ? "" : ` ${formatText(value.quant.format)}`;
  const type = `${quote(value.id)}: ${value.dtype}${shapeText(value.shape)}${format}`;
  const from = ` from ${quote(value.origin.node)} ${quote(value.origin.type)}`;
  switch (value.kind) {
    case "input":
      return `input ${type}${integersText(value.integers)}${from}`;
    case "const":
      return `const ${value.exact ? "exact " : ""}${type} = ${dataText(value.data.data, blob)}${from}`;
    case "op": {
      const attrs = Object.entries(value.attrs).map(([key, attr]) => `${key}=${attrText(attr)}`);
      const attrText_ = attrs.length === 0 ? "" : ` {${attrs.join(", ")}}`;
      return `${type} = ${value.op}(${value.args.map(quote).join(", ")})${attrText_}${from}`;
    }
  }
}

function integersText(format: Format | undefined): string {
  return format === undefined ? "" : ` of ${formatText(format)}`;
}

function dataText(data: Float64Array, blob: BlobWriter | undefined): string {
  if (blob === undefined || data.length <= inlineLimit)
    return `{${Array.from(data, numberText).join(", ")}}`;
  const { offset, type } = blob.put(data);
  return `blob ${type} ${offset} ${data.length}`;
}

function attrText(attr: AttrValue): string {
  if (typeof attr === "string") return quote(attr);
  if (typeof attr === "number") return numberText(attr);
  if (typeof attr === "boolean") return String(attr);
  return `[${attr.map(numberText).join(", ")}]`;
}

function numberText(value: number): string {
  if (Object.is(value, -0)) return "-0";
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return String(value);
}

function quote(text: string): string {
  return JSON.stringify(text);
}
