import { writeFileSync } from "node:fs";
import { extname } from "node:path";
import { Command } from "commander";
import { fail } from "../base/index.ts";
import {
  type NodeReport,
  type OnnxModel,
  type OnnxValueInfo,
  readModel,
  surveyModel,
} from "../onnx/index.ts";
import { ops } from "../ops/index.ts";
import { hardwareOf } from "../schedule/index.ts";
import { Output } from "./output.ts";
import { count } from "./picture/svg.ts";
import { type RemainingTranspose, remainingTransposes } from "./remaining-transposes.ts";

interface Flags {
  readonly json?: boolean;
  readonly picture?: string;
}

export function inspectCommand(): Command {
  return new Command("inspect")
    .description(
      "every node: what it becomes, or why it cannot and what to change; formats found, parameters, MACs",
    )
    .argument("<model>", "ONNX file")
    .option("--picture <file>", "draw the network: .svg, or .html to move and zoom in")
    .option("--json", "one JSON document on stdout")
    .action((model: string, flags: Flags) => run(model, flags));
}

async function run(path: string, flags: Flags): Promise<void> {
  const output = new Output(flags.json === true);
  checkPicture(flags.picture);
  const model = readModel(path);
  const nodes = surveyModel(model);
  const transposes = remainingTransposes(model);
  const totals = totalsOf(nodes);
  const { irVersion, producer, graph } = model;
  if (flags.picture !== undefined) await draw(flags.picture, path, model, nodes);
  output.document({
    model: path,
    irVersion,
    producer,
    opsets: Object.fromEntries(
      [...model.opsets].map(([domain, version]) => [domain || "ai.onnx", version]),
    ),
    inputs: graph.inputs,
    outputs: graph.outputs,
    nodes: nodes.map((node) => ({ ...node, hardware: hardware(node) })),
    totals,
    transposes: transposes ?? null,
    warnings: model.warnings,
  });
  const opsets = [...model.opsets].map(([domain, version]) => `${domain || "opset"} ${version}`);
  output.line(
    `${graph.name || path}: IR ${irVersion}, ${opsets.join(", ")}, ${producer || "unknown producer"}`,
  );
  output.line();
  printNodes(output, nodes);
  output.line();
  output.pairs([
    ["inputs", graph.inputs.map((port) => portText(port, nodes)).join(", ")],
    ["outputs", graph.outputs.map((port) => portText(port, nodes)).join(", ")],
    ["nodes", nodesLine(totals)],
    ["parameters", totals.parameters.toLocaleString("en")],
    ["MACs", totals.macs.toLocaleString("en")],
    ["layout", layoutLine(transposes)],
  ]);
  for (const transpose of transposes ?? []) output.line(`    ${transposeLine(transpose)}`);
  printRefusals(output, nodes);
  if (flags.picture !== undefined) output.line(`\n  picture: ${flags.picture}`);
}

/** Modules that a node needs in each architecture; null where it cannot be streamed, or has no hardware. */
function hardware({ kernel }: NodeReport) {
  if (kernel.length === 0) return null;
  const { parallel, stream } = hardwareOf(ops, kernel);
  return { parallel, stream: stream ?? null };
}

interface Totals {
  readonly nodes: number;
  readonly supported: number;
  readonly folded: number;
  readonly unknown: number;
  readonly unsupported: number;
  readonly parameters: number;
  readonly macs: number;
}

function totalsOf(nodes: readonly NodeReport[]): Totals {
  const with_ = (status: NodeReport["status"]) =>
    nodes.filter((node) => node.status === status).length;
  const sum = (of: (node: NodeReport) => number) =>
    nodes.reduce((total, node) => total + of(node), 0);
  return {
    nodes: nodes.length,
    supported: with_("supported"),
    folded: with_("folded"),
    unknown: with_("unknown"),
    unsupported: with_("unsupported"),
    parameters: sum((node) => node.parameters),
    macs: sum((node) => node.macs),
  };
}

/** `x float32[N,16]`; extents behind the first that the file does not know are those that were found. */
function portText(
  { name, elementType, shape }: OnnxValueInfo,
  nodes: readonly NodeReport[],
): string {
  const found = nodes.flatMap(({ outputs }) => outputs).find((value) => value.name === name)?.shape;
  const told = shape?.map((extent, axis) =>
    typeof extent === "number" || axis === 0 ? (extent ?? "?") : (found?.[axis] ?? extent ?? "?"),
  );
  const extents = (told ?? found ?? ["?"]).join(",");
  return `${name} ${elementType}[${extents}]`;
}

function nodesLine({ nodes, folded, unknown, unsupported }: Totals): string {
  const parts = [
    unsupported === 0 ? "all supported" : `${unsupported} not supported`,
    ...(unknown > 0 ? [`${unknown} not judged, because of those`] : []),
    ...(folded > 0 ? [`${folded} constant`] : []),
  ];
  return `${nodes}: ${parts.join(", ")}`;
}

function layoutLine(transposes: readonly RemainingTranspose[] | undefined): string {
  if (transposes === undefined) return "not known while the model cannot be imported as a whole";
  if (transposes.length === 0) return "no transposition is left";
  return `${transposes.length} ${transposes.length === 1 ? "transposition is" : "transpositions are"} left:`;
}

function transposeLine({ name, shape, perm, bufferedBits }: RemainingTranspose): string {
  const kbit = (bufferedBits / 1024).toPrecision(3);
  return `${name}: axes [${perm.join(",")}] to [${shape.join(",")}]; streams buffer ${kbit} kbit`;
}

function printNodes(output: Output, nodes: readonly NodeReport[]): void {
  const names = shortNames(nodes.map(({ name }) => name));
  const hasFormats = nodes.some(({ format }) => format !== undefined);
  output.table(
    [
      { title: "node" },
      { title: "operator" },
      { title: "shape" },
      { title: "becomes" },
      ...(hasFormats ? [{ title: "format found" }] : []),
      { title: "parameters", isNumber: true },
      { title: "MACs", isNumber: true },
    ],
    nodes.map((node, i) => [
      names[i],
      operatorOf(node),
      node.outputs
        .map(({ shape }) => (shape === undefined ? "?" : `[${shape.join(",")}]`))
        .join(" "),
      becomes(node),
      ...(hasFormats ? [node.format ?? ""] : []),
      node.parameters.toLocaleString("en"),
      node.macs.toLocaleString("en"),
    ]),
  );
}

const shortest = 44;

/** Names differ at their ends, mostly: as much of these as tells them apart. `--json` has them whole. */
function shortNames(names: readonly string[]): readonly string[] {
  const kinds = new Set(names).size;
  for (let length = shortest; ; length += 4) {
    const short = names.map((name) =>
      name.length <= length ? name : `...${name.slice(3 - length)}`,
    );
    if (new Set(short).size === kinds) return short;
  }
}

function operatorOf({ domain, opType }: NodeReport): string {
  return domain === "" ? opType : `${domain}.${opType}`;
}

/** Operators that are named, at most. */
const mostNamed = 4;
const moves: ReadonlySet<string> = new Set(["transpose", "reshape", "slice", "identity"]);

/**
 * Each operator once, with how often. What only moves elements is left out beside what computes: most of it
 * vanishes, and the line on the layout has the rest.
 */
function becomes({ status, kernel }: NodeReport): string {
  if (status === "unsupported") return "NOT SUPPORTED";
  if (status === "folded") return "(constant)";
  if (status === "unknown") return "(inputs not known)";
  if (kernel.length === 0) return "(wires)";
  const computing = kernel.filter((op) => !moves.has(op));
  const counts = new Map<string, number>();
  for (const op of computing.length > 0 ? computing : kernel)
    counts.set(op, (counts.get(op) ?? 0) + 1);
  const told = [...counts].map(([op, count]) => (count === 1 ? op : `${count} ${op}`));
  if (told.length <= mostNamed) return told.join(", ");
  return `${told.slice(0, mostNamed - 1).join(", ")} and ${told.length - mostNamed + 1} other kinds`;
}

/** Refusals with the same words are said once, with all their nodes. */
function printRefusals(output: Output, nodes: readonly NodeReport[]): void {
  const groups = new Map<string, NodeReport[]>();
  for (const node of nodes) {
    if (node.status !== "unsupported") continue;
    const key = `${operatorOf(node)}\n${node.reason}\n${node.hint}`;
    groups.set(key, [...(groups.get(key) ?? []), node]);
  }
  for (const [first, ...others] of groups.values()) {
    output.line();
    const more = others.length === 0 ? "" : ` and ${others.length} more`;
    output.line(`  ${first.name}${more} (${operatorOf(first)}): ${first.reason}`);
    output.line(`    hint: ${first.hint}`);
    if (first.conditions !== undefined)
      output.line(`    ${operatorOf(first)} is read with: ${first.conditions}`);
  }
}

/** @throws N2F_OPTION_INVALID for a picture of another kind */
function checkPicture(file: string | undefined): void {
  if (file === undefined || [".svg", ".html"].includes(extname(file).toLowerCase())) return;
  fail("N2F_OPTION_INVALID", `pictures are written as .svg or .html, not as ${file}`, {
    at: "--picture",
    hint: "Name the file NAME.svg or NAME.html.",
  });
}

/** @throws N2F_FILE_WRITE */
async function draw(
  file: string,
  path: string,
  model: OnnxModel,
  nodes: readonly NodeReport[],
): Promise<void> {
  // The layout library is loaded only where somebody wants a picture.
  const { placeModel } = await import("./picture/layout.ts");
  const { renderSvg } = await import("./picture/svg.ts");
  const { renderHtml } = await import("./picture/html.ts");
  const totals = totalsOf(nodes);
  const name = model.graph.name || path;
  const summary = `nodes ${nodesLine(totals)} · ${count(totals.parameters)} parameters · ${count(totals.macs)} MACs`;
  const svg = renderSvg(placeModel(model, nodes), { name, summary });
  const isPage = extname(file).toLowerCase() === ".html";
  try {
    writeFileSync(file, isPage ? renderHtml(svg, name) : svg);
  } catch (cause) {
    fail("N2F_FILE_WRITE", `the picture cannot be written: ${(cause as Error).message}`, {
      at: file,
      hint: "Choose a folder that exists and that you may write to.",
      cause,
    });
  }
}
