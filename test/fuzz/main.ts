import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { casesFolder } from "../conformance/case.ts";
import { conformancePath, readConformance, withSection } from "../support/page.ts";
import { type FuzzReport, fuzzJobs, runFuzz } from "./run-fuzz.ts";
import { shrink, tryNetwork } from "./try-network.ts";

const usage = `npm run fuzz -- [options]
  --count N        how many broken models of each seed (default: 10000)
  --seed S         the first of them; several may be given (default: 1)
  --processes P    how many processes share the work (default: one for each core, up to 4)
  --streams        small whole networks instead, as streams in Verilator, one after the other (default count: 100)
  --docs           write what docs/conformance.md says of broken models`;

const { values: flags } = parseArgs({
  args: process.argv.slice(3),
  options: {
    count: { type: "string" },
    seed: { type: "string", multiple: true, default: ["1"] },
    processes: { type: "string", default: String(Math.min(4, availableParallelism())) },
    streams: { type: "boolean", default: false },
    docs: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (flags.help) console.log(usage);
else if (flags.streams) await runStreams(Number(flags.count ?? 100), flags.seed.map(Number));
else if (casesFolder === undefined)
  console.log("shared/corpus/onnx_conformance is absent: nothing was tried");
else await run(Number(flags.count ?? 10_000), flags.seed.map(Number), Number(flags.processes));

async function run(count: number, seeds: readonly number[], processes: number): Promise<void> {
  const rows: string[] = [];
  for (const seed of seeds) {
    const report = await runFuzz(fuzzJobs(count, seed), processes, ({ job, text }) => {
      console.log(`seed ${job.seed} ${job.folder}: ${text.slice(0, 2000)}\n`);
    });
    print(report);
    console.log(`${count} broken models from seed ${seed}, ${report.findings.length} findings`);
    rows.push(row(seed, count, report));
    if (report.findings.length > 0) process.exitCode = 1;
  }
  if (!flags.docs) return;
  const words = seeds.map((seed) => ` --seed ${seed}`).join("");
  const text = `Models of these cases, broken in one to four places each, as [test/fuzz](../test/fuzz/README.md) has it: read, surveyed,
imported and, where they are small, compiled, every other one as a stream. A finding is a crash, a stack trace, more
than 10 s of CPU time, or an answer that differs: after the passes, from ONNX Runtime, or the emulator's from the
integer graph. ONNX Runtime gives zeros where a computed mask hides all keys of a query, keeps minus the greatest float
as a masked score, squeezes all axes where the list of axes is empty, and aligns corners of whole extents: not done here.
Written by \`npm run fuzz -- --count ${count}${words} --docs\`.

| seeds | compiled, with equal answers | refused or not compiled | CPU time | slowest | other answers than ONNX Runtime | other findings |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join("\n")}
`;
  writeFileSync(conformancePath, withSection(readConformance(), "Broken models", text));
}

/** Networks as streams: bits and cycles of each under Verilator. */
async function runStreams(count: number, seeds: readonly number[]): Promise<void> {
  const kinds = new Map<string, number>();
  for (const first of seeds) {
    for (let seed = first; seed < first + count; seed++) {
      const { kind, detail, layers } = await tryNetwork(seed);
      const key = kind === "refused" ? `refused, ${detail.split(":")[0]}` : kind;
      kinds.set(key, (kinds.get(key) ?? 0) + 1);
      const told = kind === "FAULT" ? await shrink(seed) : { detail, layers };
      const words = kind === "exact" ? "" : `\n  ${told.detail}\n  ${told.layers.join("\n  ")}`;
      console.log(`seed ${seed}: ${kind}, ${layers.length} layers${words}`);
      if (kind === "FAULT") process.exitCode = 1;
    }
  }
  for (const [kind, found] of kinds) console.log(`${String(found).padStart(7)}  ${kind}`);
}

function print({ counts, slowest, cpuSeconds }: FuzzReport): void {
  for (const [key, count] of [...counts].sort(([, a], [, b]) => b - a)) {
    console.log(`${String(count).padStart(7)}  ${key}`);
  }
  console.log(`slowest: ${Math.round(slowest.cpuMs)} ms of CPU time, seed ${slowest.seed}`);
  console.log(`${Math.round(cpuSeconds)} s of CPU time, but for the comparisons`);
}

function row(seed: number, count: number, report: FuzzReport): string {
  const compiled = report.counts.get("compile: compiled") ?? 0;
  const { findings, cpuSeconds, slowest } = report;
  const others = findings.filter(({ text }) => text.startsWith("against ONNX Runtime")).length;
  const cells = [
    `${seed} to ${seed + count - 1}`,
    compiled,
    count - compiled - findings.length,
    `${Math.round(cpuSeconds)} s`,
    `${(slowest.cpuMs / 1000).toFixed(1)} s`,
    others,
    findings.length - others,
  ];
  return `| ${cells.join(" | ")} |`;
}
