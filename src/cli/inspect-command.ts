import { Command } from "commander";
import { type NodeReport, readModel, surveyModel } from "../onnx/index.ts";
import { Output } from "./output.ts";

export function inspectCommand(): Command {
  return new Command("inspect")
    .description(
      "every node: what it becomes, or why it cannot and what to change; parameters, MACs",
    )
    .argument("<model>", "ONNX file")
    .option("--json", "one JSON document on stdout")
    .action((model: string, flags: { json?: boolean }) =>
      run(model, new Output(flags.json === true)),
    );
}

function run(path: string, output: Output): void {
  const model = readModel(path);
  const nodes = surveyModel(model);
  const unsupported = nodes.filter(({ status }) => status === "unsupported");
  const sum = (count: (node: NodeReport) => number) =>
    nodes.reduce((total, node) => total + count(node), 0);
  const totals = {
    nodes: nodes.length,
    unsupported: unsupported.length,
    parameters: sum((node) => node.parameters),
    macs: sum((node) => node.macs),
  };
  const { irVersion, producer, graph } = model;
  output.document({
    model: path,
    irVersion,
    producer,
    opsets: Object.fromEntries(
      [...model.opsets].map(([domain, version]) => [domain || "ai.onnx", version]),
    ),
    inputs: graph.inputs,
    outputs: graph.outputs,
    nodes,
    totals,
    warnings: model.warnings,
  });
  output.line(`${graph.name || path}: IR ${irVersion}, ${producer || "unknown producer"}`);
  output.line();
  output.table(
    [
      { title: "node" },
      { title: "operator" },
      { title: "shape" },
      { title: "becomes" },
      { title: "parameters", isNumber: true },
      { title: "MACs", isNumber: true },
    ],
    nodes.map((node) => [
      node.name,
      node.domain === "" ? node.opType : `${node.domain}.${node.opType}`,
      node.outputs
        .map(({ shape }) => (shape === undefined ? "?" : `[${shape.join(",")}]`))
        .join(" "),
      node.status === "unsupported"
        ? "NOT SUPPORTED"
        : node.status === "folded"
          ? "(constant)"
          : node.kernel.join(", "),
      String(node.parameters),
      String(node.macs),
    ]),
  );
  output.line();
  output.pairs([
    ["nodes", `${totals.nodes}, ${totals.unsupported} of them not supported`],
    ["parameters", String(totals.parameters)],
    ["MACs", String(totals.macs)],
  ]);
  for (const node of unsupported) {
    output.line();
    output.line(`  ${node.name} (${node.opType}): ${node.reason}`);
    output.line(`    hint: ${node.hint}`);
  }
}
