import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Nn2fpgaError, Random, renderProblem } from "../../src/base/index.ts";
import { planModel } from "../../src/compile.ts";
import { loadConfig } from "../../src/config/index.ts";
import { emitVerilog } from "../../src/emit/verilog/index.ts";
import { type Graph, inputsOf, workOf } from "../../src/ir/index.ts";
import { decodeModel, importModel, type OnnxModel, surveyModel } from "../../src/onnx/index.ts";
import { ops } from "../../src/ops/index.ts";
import { runPasses } from "../../src/passes/index.ts";
import {
  makeTensor,
  type NamedTensor,
  sizeOf,
  type Tensor,
  writeArrays,
} from "../../src/tensor/index.ts";
import { openOnnxRuntime } from "../../src/tools/index.ts";
import { casesFolder } from "../conformance/case.ts";
import {
  emulatorDifference,
  type Feed,
  floatOutputs,
  randomFeed,
  tensorDifference,
} from "./differences.ts";
import { mutateModel, withConstants } from "./mutate.ts";

/** One broken model: which case, and the seed of what is done to it. */
export interface FuzzJob {
  readonly folder: string;
  readonly seed: number;
  /** Whether ONNX Runtime is left out: a broken model may take the process down with it. */
  readonly isAlone?: boolean;
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

/** Shares of the greatest number on the way by which answers may differ: the order of additions; float32 and float16. */
const passesAllowed = 1e-9;
const runtimeAllowed = 1e-4;

/** The bytes of a job's model. */
export function fuzzBytes({ folder, seed }: FuzzJob): ReturnType<typeof mutateModel> {
  const random = new Random(seed);
  const whole = readFileSync(join(casesFolder as string, folder, "model.onnx"));
  return mutateModel(withConstants(whole, folder, random), random);
}

/**
 * Reads, surveys, imports and, where it is small, compiles a broken model. Only Nn2fpgaErrors are allowed; and what
 * compiles must compute what the model says.
 */
export async function tryModel(job: FuzzJob): Promise<FuzzAnswer> {
  const { bytes, how } = fuzzBytes(job);
  let folder: string | undefined;
  const start = process.cpuUsage();
  let cpuMs: number | undefined;
  let stage: FuzzAnswer["result"] = "read";
  const stop = (): void => {
    const { user, system } = process.cpuUsage(start);
    cpuMs ??= (user + system) / 1000;
  };
  const answer = (result: FuzzAnswer["result"], detail: string): FuzzAnswer => {
    stop();
    return { result, detail, how, cpuMs: cpuMs as number };
  };
  try {
    const model = decodeModel(bytes, "model.onnx");
    surveyModel(model).forEach(checkReport);
    stage = "import";
    const imported = importModel(model);
    const graph = runPasses(imported, ops);
    if (workOf(graph) > mostWork) return answer("import", "imported");
    stage = "compile";
    folder = mkdtempSync(join(tmpdir(), "nn2fpga-fuzz-"));
    const path = join(folder, "model.onnx");
    writeFileSync(path, bytes);
    const config = loadConfig(undefined, { architecture: job.seed % 2 ? "parallel" : "stream" });
    const numbers = inputsOf(imported).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    const isSmall = numbers <= mostWork;
    const hasData = isSmall && job.seed % 8 !== 0;
    const calibration = hasData ? writeData(folder, imported, job.seed) : [];
    const plan = planModel(path, { config, calibration });
    emitVerilog(plan.design, { source: "model.onnx", generator: "fuzz" });
    stop();
    if (!isSmall) return answer("compile", "compiled");
    const different =
      emulatorDifference(plan) ??
      (await meaningDifference(path, imported, graph, {
        seed: job.seed,
        isAlone: job.isAlone === true || isBeyond(model),
      }));
    return different === undefined ? answer("compile", "compiled") : answer("FAULT", different);
  } catch (error) {
    if (error instanceof Nn2fpgaError) {
      const text = error.problems.map(renderProblem).join("\n");
      const fault = faultOf(text);
      return fault === undefined ? answer(stage, error.problems[0].code) : answer("FAULT", fault);
    }
    return answer("FAULT", `${stage}: ${(error as Error).stack}`);
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** Inferences of a data file. */
const inferences = 8;

/** Calibration data for a model: it takes less time than what is made where there is none. */
function writeData(folder: string, graph: Graph, seed: number): readonly string[] {
  const random = new Random(seed);
  const feeds = Array.from({ length: inferences }, () => randomFeed(graph, random));
  const arrays = inputsOf(graph).map(({ id, shape }): NamedTensor => {
    const data = feeds.flatMap((feed) => [...(feed.get(id) as Tensor).data]);
    const tensor = makeTensor([inferences, ...shape], data);
    return { name: id, tensor, elementType: "float32" };
  });
  const path = join(folder, "data.npz");
  writeArrays(path, arrays);
  return [path];
}

/**
 * Whether ONNX Runtime computes something else by design: it rounds to 16 bits on the way, and has powers of negative
 * numbers, of which logarithms know nothing.
 */
function isBeyond({ graph }: OnnxModel): boolean {
  const types = [...graph.inputs, ...graph.outputs, ...graph.initializers.values()];
  return (
    graph.nodes.some(({ opType }) => opType === "Pow") ||
    types.some(({ elementType }) => /float16$/.test(elementType ?? ""))
  );
}

/** Where the passes, or the import, give a network another meaning than the model has. */
async function meaningDifference(
  path: string,
  imported: Graph,
  graph: Graph,
  { seed, isAlone }: { readonly seed: number; readonly isAlone: boolean },
): Promise<string | undefined> {
  const feed = randomFeed(imported, new Random(seed));
  const before = floatOutputs(imported, feed);
  const after = floatOutputs(graph, feed);
  const allowed = before.magnitude * passesAllowed;
  const byPasses = tensorDifference(after.outputs, before.outputs, allowed);
  if (byPasses !== undefined) return `after the passes ${byPasses}`;
  const reference = isAlone ? undefined : await runtimeOutputs(path, imported, feed);
  if (reference === undefined) return undefined;
  const byImport = tensorDifference(before.outputs, reference, before.magnitude * runtimeAllowed);
  return byImport && `against ONNX Runtime ${byImport}`;
}

/** What ONNX Runtime makes of a model; nothing where it refuses it, or is not installed. */
async function runtimeOutputs(
  path: string,
  { outputs }: Graph,
  feed: Feed,
): Promise<readonly Tensor[] | undefined> {
  const names = outputs.map(({ name }) => name);
  try {
    const session = await openOnnxRuntime(path, []);
    const answers = await session.run(feed, names);
    return names.map((name) => answers.get(name) as Tensor);
  } catch (error) {
    if (error instanceof Nn2fpgaError) return undefined;
    throw error;
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
