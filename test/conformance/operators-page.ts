import { conditionsOf } from "../../src/onnx/rules/conditions.ts";
import { networkOperators, quantizedOperators, rules } from "../../src/onnx/rules/index.ts";
import { refusals } from "../../src/onnx/rules/refusals.ts";
import { ops, opTable } from "../../src/ops/index.ts";
import { hardwareOf, plumbing } from "../../src/schedule/index.ts";
import type { Count, OperatorResult, Results } from "./results.ts";

/** Operators that are only worked out: of constants and shapes. */
const foldedOperators: readonly string[] = [
  ...new Set(rules.map(({ op }) => op).filter((op) => !networkOperators.includes(op))),
]
  .filter((op) => !quantizedOperators.includes(op))
  .sort();

/** docs/operators.md as it must read after a run of the ONNX project's cases. */
export function operatorsPage({ totals, operators }: Results): string {
  const row = (op: string, isForeign: boolean): string => {
    const seen = operators[op];
    const domains = isForeign ? domainsOf(op) : [];
    const cells = [
      `\`${op}\``,
      ...(isForeign ? [list(domains.map((domain) => domain || "none"))] : []),
      opsetsOf(seen),
      conditionsOf(domains[0] ?? "", op),
      list(seen?.becomes ?? []),
      ...hardwareCells(seen?.becomes ?? []),
      fraction(seen?.float),
      fraction(seen?.fixed),
    ];
    return line(cells);
  };
  return `# Operators

What networks may be made of. \`npm run conformance\` writes this page, out of the data that stand beside the code and of
what it sees; \`npm run docs\` writes it again from the last run. A test fails where it is stale.

\`nn2fpga inspect MODEL\` says the same of a model: each node, what it becomes, or why it cannot be read, under which
conditions it can, and what to do instead. Whatever is not listed here is refused by name, all of it at once
([N2F_OP_UNSUPPORTED](errors.md#n2f_op_unsupported)).

The ONNX project's own cases that count: **${totalText(totals.float)} pass in float**, after our passes, and
**${totalText(totals.fixed)} in fixed point** at 24 bits, through the emulator. [conformance.md](conformance.md) has the rules
and every failure with its reason.

## ONNX operators that a network may use

Opsets 6 to 25 of the standard domain; shapes are fixed but for the batch. "Constant" means: an initializer, or
anything that can be worked out from constants and shapes.

- *opsets*: the versions with which a case passed.
- *becomes*: the operators of ours that were seen after the passes, in the cases and in real networks.
- *parallel*, *stream*: the modules of \`hw/rtl\` that those need in each architecture, beside what every design has
  ([FIFOs, copies, packets](#operators-of-the-graph)). \`pipeline\` stands for gates and adders that are written out, without
  a module; in a stream it has those of the parallel architecture in it. [Below](#operators-of-the-graph) for each by itself.
- *float*, *fixed*: cases that pass, of how many are about the operator; none where it has no cases that count.

${head(["ONNX", "opsets", "conditions", "becomes", "parallel", "stream", "float", "fixed"])}
${networkOperators.map((op) => row(op, false)).join("\n")}

## Operators of quantized models outside the standard

\`QGemm\` and \`QLinear...\` are ONNX Runtime's. The others are of QONNX, Brevitas and FINN, whose domains are
\`onnx.brevitas\`, \`qonnx.custom_op.general\`, \`finn.custom_op.general\`, \`finn\`, or none. Scales, zero points and bit
widths are constant. [Quantized models](quantized-models.md) tells more.

${head(["operator", "domains", "opsets", "conditions", "becomes", "parallel", "stream", "float", "fixed"])}
${quantizedOperators.map((op) => row(op, true)).join("\n")}

## ONNX operators that are only worked out

Exporters write them around shapes, masks and constants. They are calculated while the model is read; applied to what
the network computes they are refused.

${head(["ONNX", "conditions"])}
${foldedOperators.map((op) => line([`\`${op}\``, conditionsOf("", op)])).join("\n")}

## What is refused, and why

${head(["operators", "why", "what to do"])}
${refusals.map(({ title, reason, hint }) => line([title, reason, hint])).join("\n")}

Every other operator without a rule is refused with the list of those that there are.

## Operators of the graph

What the above becomes, as \`nn2fpga inspect\` and the report of \`compile\` name it. *Primitive* operators reach the
hardware, *composite* ones are replaced by others before. All are exact but those marked *lossy*, whose result's
precision is chosen. A primitive operator is said in *words* ([decision 0002](decisions/0002-kernel-words.md)), and these
decide what it needs ([resources](resources.md) has the cost of each). What every design may have besides:
${list(plumbing)}.

${head(["operator", "kind", "what it computes", "words", "parallel", "stream"])}
${Object.keys(opTable).map(ownRow).join("\n")}
`;
}

function ownRow(name: string): string {
  const op = ops.get(name);
  if (op === undefined) return "";
  const words =
    op.kind === "primitive" ? list(op.words) : `of ${list(op.madeOf) || "its argument"}`;
  const lossy = "lossy" in op && op.lossy === true ? ", lossy" : "";
  const { condition } = hardwareOf(ops, [name]);
  const [parallel, stream] = hardwareCells([name]);
  const told = condition === undefined ? stream : `${stream}: ${condition}`;
  return line([`\`${name}\``, `${op.kind}${lossy}`, op.summary, words, parallel, told]);
}

/** What is needed in the parallel and in the stream architecture. */
function hardwareCells(names: readonly string[]): readonly [string, string] {
  if (names.length === 0) return ["", ""];
  const { nets, parallel } = hardwareOf(ops, names);
  const isStreamed = (name: string) => hardwareOf(ops, [name]).stream !== undefined;
  const streamed = hardwareOf(ops, names.filter(isStreamed));
  const others = names.filter((name) => !isStreamed(name));
  const own = (modules: readonly string[], hasPipeline: boolean): string =>
    [...(hasPipeline ? ["pipeline"] : []), ...(modules.length > 0 ? [list(modules)] : [])].join(
      ", ",
    );
  const stream = own(streamed.stream ?? [], streamed.isLocal) || "wires";
  const refused = others.length === 0 ? "" : `; no ${list(others)}`;
  return [
    own(parallel, nets.length > 0) || "wires",
    others.length === names.length ? "none" : `${stream}${refused}`,
  ];
}

/** Those in which an operator has a rule, the standard's own aside where there are others. */
function domainsOf(op: string): readonly string[] {
  const all = [...new Set(rules.filter((rule) => rule.op === op).map(({ domain }) => domain))];
  return networkOperators.includes(op) ? all.filter((domain) => domain !== "") : all;
}

function opsetsOf(seen: OperatorResult | undefined): string {
  if (seen?.opsets === undefined) return "";
  return [...new Set(seen.opsets)].join(" to ");
}

function fraction(count: Count | undefined): string {
  return count === undefined ? "" : count.join(" / ");
}

function totalText([passed, all]: Count): string {
  return `${passed} of ${all} (${((100 * passed) / all).toFixed(1)} %)`;
}

const list = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(", ");

const line = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`
    .replaceAll("|  |", "| |")
    .replaceAll("|  |", "| |");

const head = (titles: readonly string[]): string =>
  `${line(titles)}\n${line(titles.map(() => "---"))}`;
