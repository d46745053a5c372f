import { Command } from "commander";
import { toolsFound } from "../tools/index.ts";
import { Output } from "./output.ts";

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("which external tools are found, and what is lost without those that are not")
    .option("--json", "one JSON document on stdout")
    .action(async (flags: { json?: boolean }) => {
      const output = new Output(flags.json === true);
      const tools = await toolsFound();
      output.document({
        node: process.version,
        platform: `${process.platform} ${process.arch}`,
        tools,
      });
      output.line(`node ${process.version} on ${process.platform} ${process.arch}`);
      output.line();
      output.table(
        [{ title: "tool" }, { title: "version" }, { title: "where" }, { title: "for" }],
        tools.map((tool) => [
          tool.name,
          tool.version ?? "not found",
          tool.path ?? "-",
          tool.purpose,
        ]),
      );
      const missing = tools.filter((tool) => tool.path === undefined);
      if (missing.length > 0) output.line();
      for (const tool of missing)
        output.line(`  without ${tool.name}: ${tool.without} ${tool.install}`);
    });
}
