import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Nn2fpgaError, Random, renderProblem } from "../../src/base/index.ts";
import { planModel } from "../../src/compile.ts";
import { loadConfig } from "../../src/config/index.ts";
import { workOf } from "../../src/ir/index.ts";
import { decodeModel, importModel, surveyModel } from "../../src/onnx/index.ts";
import { ops } from "../../src/ops/index.ts";
import { runPasses } from "../../src/passes/index.ts";
import { casesFolder } from "../conformance/case.ts";
import { mutateModel, withConstants } from "./mutate.ts";

/** One broken model: which case, and the seed of what is done to it. */
export interface FuzzJob {
  readonly folder: string;
  readonly seed: number;
}

export interface FuzzAnswer {
  /** How far it came: `read`, `import`, `compile`; or what is wrong with us. */
  readonly result: "read" | "import" | "compile" | "FAULT";
  readonly detail: string;
  readonly how: readonly string[];
  /** CPU time, which does not depend on what else the machine does. */
  readonly cpuMs: number;
}

/** Work of one inference up to which the whole compilation is tried. */
const mostWork = 20_000;

/** The bytes of a job's model. */
export function fuzzBytes({ folder, seed }: FuzzJob): ReturnType<typeof mutateModel> {
  const random = new Random(seed);
  const whole = readFileSync(join(casesFolder as string, folder, "model.onnx"));
  return mutateModel(withConstants(whole, folder, random), random);
}

/** Reads, surveys, imports and, where it is small, compiles a broken model. Only Nn2fpgaErrors are allowed. */
export function tryModel(job: FuzzJob): FuzzAnswer {
  const { bytes, how } = fuzzBytes(job);
  const start = process.cpuUsage();
  const answer = (result: FuzzAnswer["result"], detail: string): FuzzAnswer => {
    const { user, system } = process.cpuUsage(start);
    return { result, detail, how, cpuMs: (user + system) / 1000 };
  };
  let stage: "read" | "import" | "compile" = "read";
  try {
    const model = decodeModel(bytes, "model.onnx");
    surveyModel(model).forEach(checkReport);
    stage = "import";
    const graph = runPasses(importModel(model), ops);
    if (workOf(graph) > mostWork) return answer("import", "imported");
    stage = "compile";
    compileBytes(bytes);
    return answer("compile", "compiled");
  } catch (error) {
    if (error instanceof Nn2fpgaError) {
      const text = error.problems.map(renderProblem).join("\n");
      const fault = faultOf(text);
      return fault === undefined ? answer(stage, error.problems[0].code) : answer("FAULT", fault);
    }
    return answer("FAULT", `${stage}: ${(error as Error).stack}`);
  }
}

function checkReport({ reason, hint }: { readonly reason?: string; readonly hint?: string }): void {
  const fault = faultOf(`${reason ?? ""}\n${hint ?? ""}`);
  if (fault !== undefined) throw new Error(fault);
}

/** What no message to a user may have in it. */
function faultOf(text: string): string | undefined {
  if (/^ +at .*:\d+:\d+/m.test(text)) return `a stack trace is shown: ${text}`;
  if (/\b(undefined|NaN is not|\[object )/.test(text)) return `the message is broken: ${text}`;
  return text.length > 200_000 ? `the message has ${text.length} letters` : undefined;
}

function compileBytes(bytes: Uint8Array): void {
  const folder = mkdtempSync(join(tmpdir(), "nn2fpga-fuzz-"));
  try {
    const path = join(folder, "model.onnx");
    writeFileSync(path, bytes);
    planModel(path, { config: loadConfig(undefined, {}), calibration: [] });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
