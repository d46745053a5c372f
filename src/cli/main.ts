import { Command, CommanderError } from "commander";
import { Nn2fpgaError, renderProblem } from "../base/index.ts";
import { packageVersion } from "../tools/index.ts";
import { benchCommand } from "./bench-command.ts";
import { compileCommand } from "./compile-command.ts";
import { deployCommand } from "./deploy-command.ts";
import { doctorCommand } from "./doctor-command.ts";
import { inspectCommand } from "./inspect-command.ts";
import { predictCommand } from "./predict-command.ts";
import { serveCommand } from "./serve-command.ts";
import { verifyCommand } from "./verify-command.ts";

/** Exit codes: what a script may rely on. */
const exits = { done: 0, fault: 1, input: 2, difference: 3 } as const;

/**
 * Runs the command line.
 *
 * @returns the exit code: 0 done, 1 our own fault, 2 the input or the options, 3 a comparison failed
 */
export async function main(args: readonly string[]): Promise<number> {
  const program = new Command("nn2fpga")
    .description(
      "Turns a trained network (ONNX) into a bit-exact FPGA kernel, proves it, and runs it.",
    )
    .version(packageVersion())
    .showHelpAfterError("(--help shows what can be given)");
  for (const command of [
    compileCommand(),
    verifyCommand(),
    predictCommand(),
    serveCommand(),
    deployCommand(),
    benchCommand(),
    inspectCommand(),
    doctorCommand(),
  ]) {
    program.addCommand(command.exitOverride());
  }
  program.exitOverride();
  // A reader that has seen enough (`| head`) is no fault.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? exits.done : exits.fault);
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return exits.done;
  } catch (error) {
    return report(error, args.includes("--json"));
  }
}

function report(error: unknown, isJson: boolean): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exits.done;
    // Commander has told the user already; programs get the same document as of any other problem.
    const problem = { code: "N2F_OPTION_INVALID", message: error.message.replace(/^error: /, "") };
    if (isJson) process.stdout.write(`${JSON.stringify({ problems: [problem] }, null, 2)}\n`);
    return exits.input;
  }
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[2K");
  if (error instanceof Nn2fpgaError) {
    if (isJson) process.stdout.write(`${JSON.stringify({ problems: error.problems }, null, 2)}\n`);
    process.stderr.write(`${error.problems.map(renderProblem).join("\n")}\n`);
    return error.problems.some(({ code }) => code === "N2F_COMPARE_MISMATCH")
      ? exits.difference
      : exits.input;
  }
  const { message, stack } = error as Error;
  const details = process.env["N2F_DEBUG"]
    ? stack
    : "  hint: N2F_DEBUG=1 shows where; please report it with the model.";
  process.stderr.write(`nn2fpga failed by its own fault: ${message}\n${details}\n`);
  return exits.fault;
}
