// Runs the nn2fpga command line of this clone, as a user would.

import { spawn } from "node:child_process";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The clone's folder. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

const program = join(root, "bin", "nn2fpga.js");

/** A path of the clone as one types it there. */
export const shown = (path) => relative(root, path);

/** A command as one types it in the clone's folder, broken before its options where it is long. */
export function commandText(args, width = 98) {
  const words = args.map((arg) => (arg.startsWith(root) ? shown(arg) : arg));
  const lines = ["npx nn2fpga"];
  for (let i = 0; i < words.length; i++) {
    // An option and its value stay together.
    const hasValue =
      words[i].startsWith("-") && i + 1 < words.length && !words[i + 1].startsWith("-");
    const word = hasValue ? `${words[i]} ${words[++i]}` : words[i];
    if (`${lines.at(-1)} ${word} \\`.length > width) {
      lines[lines.length - 1] += " \\";
      lines.push(`   ${word}`);
    } else {
      lines[lines.length - 1] += ` ${word}`;
    }
  }
  return lines.join("\n");
}

/** Runs a command in the clone's folder; what it prints goes where ours goes. Gives its exit code. */
export function runCli(args) {
  return start(args, "inherit").then(({ code }) => code);
}

/** Runs a command with `--json`. Gives its exit code and the document; progress goes to stderr. */
export async function askCli(args) {
  const { code, text } = await start([...args, "--json"], "pipe");
  return { code, document: text === "" ? undefined : JSON.parse(text) };
}

function start(args, stdout) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: root,
      stdio: ["ignore", stdout, "inherit"],
    });
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, text }));
  });
}
