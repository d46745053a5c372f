import { relative } from "node:path";
import { fileURLToPath } from "node:url";
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
        [{ title: "tool" }, { title: "version" }, { title: "where" }],
        tools.map(({ name, version, path }) => [
          name,
          shortVersion(version) ?? "missing",
          path === undefined ? "-" : shortPath(path),
        ]),
      );
      output.line();
      output.pairs(tools.map(({ name, purpose }) => [name, purpose]));
      const missing = tools.filter((tool) => tool.path === undefined);
      if (missing.length > 0) output.line();
      for (const tool of missing) {
        output.line(`  without ${tool.name}: ${tool.without}`);
        output.line(`    to get it: ${tool.install}`);
      }
    });
}

/** The number alone, of what a tool prints of its version. */
function shortVersion(version: string | undefined): string | undefined {
  return version === undefined ? undefined : (/\d+(\.\d+)+/.exec(version)?.[0] ?? version);
}

/** As one would type it here, where that is shorter. */
function shortPath(path: string): string {
  const file = path.startsWith("file:") ? fileURLToPath(path) : path;
  const here = relative("", file);
  return here.length < file.length ? here : file;
}
