import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { casesFolder } from "../conformance/case.ts";
import { fuzzJobs, runFuzz } from "./run-fuzz.ts";

// npm run fuzz -- [--count N] [--seed S] [--processes P]
const { values: flags } = parseArgs({
  args: process.argv.slice(3),
  options: {
    count: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    processes: { type: "string", default: String(Math.min(4, availableParallelism())) },
  },
});

if (casesFolder === undefined) {
  console.log("shared/corpus/onnx_conformance is absent: nothing was tried");
} else {
  const jobs = fuzzJobs(Number(flags.count), Number(flags.seed));
  const report = await runFuzz(jobs, Number(flags.processes), ({ job, text }) => {
    console.log(`seed ${job.seed} ${job.folder}: ${text.slice(0, 2000)}\n`);
  });
  for (const [key, count] of [...report.counts].sort(([, a], [, b]) => b - a)) {
    console.log(`${String(count).padStart(7)}  ${key}`);
  }
  const { seed, cpuMs } = report.slowest;
  console.log(`slowest: ${Math.round(cpuMs)} ms of CPU time, seed ${seed}`);
  console.log(`${jobs.length} broken models, ${report.findings.length} findings`);
  process.exitCode = report.findings.length > 0 ? 1 : 0;
}
