import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Bundle,
  bundlePaths,
  readBundle,
  updateManifest,
  withFiles,
} from "./artifact/index.ts";
import { Nn2fpgaError } from "./base/index.ts";
import { addVerilog, type CompileSummary } from "./compile.ts";
import { openFloatReference } from "./float-reference.ts";
import type { Graph } from "./ir/index.ts";
import { ops } from "./ops/index.ts";
import { planDesign } from "./plan-design.ts";
import {
  createIcarusDevice,
  createRtlDevice,
  type Kernel,
  openDevice,
  packSamples,
  type RtlDevice,
  type SimulatedKernel,
} from "./runtime/index.ts";
import {
  type Backend,
  type FloatReference,
  icarusVectors,
  type MutationResult,
  makeVectors,
  readNetwork,
  readSamples,
  selfCheck,
  type VerifyReport,
  verifyBundle,
} from "./verify/index.ts";

export interface VerifyOptions {
  /** Vectors to compare on, at least. */
  readonly samples: number;
  readonly seed: number;
  /** Also plant faults, which must be seen. */
  readonly selfCheck: boolean;
  readonly onProgress?: (step: string) => void;
}

export interface FullReport extends VerifyReport {
  readonly selfCheck?: readonly MutationResult[];
}

/** Vectors on which planted faults are looked for. */
const mutantVectors = 200;

/**
 * Compares every back end that there is on this machine, bit for bit and cycle for cycle, and the float
 * network beside them. Measured cycles go into the bundle's manifest.
 *
 * @throws Nn2fpgaError where the bundle is broken or a tool fails; differences are in the report
 */
export async function verify(folder: string, options: VerifyOptions): Promise<FullReport> {
  const { samples, seed, onProgress = () => {} } = options;
  const bundle = readBundle(folder);
  bundle.verifyAll();
  const emulatorDevice = openDevice("emulator");
  const emulator = await emulatorDevice.load(bundle);
  const rtlDevice = createRtlDevice({ onProgress });
  const rtl = await openBackend(rtlDevice, bundle);
  const icarus =
    icarusVectors(bundle.manifest.kernel) > 0
      ? await openBackend(createIcarusDevice({ onProgress }), bundle)
      : { skipped: "the design is too large for a simulator that interprets." };
  try {
    const reference = await openReference(bundle, readNetwork(bundle, ops));
    const input = { bundle, ops, emulator, rtl, icarus, reference, samples, seed, onProgress };
    const report = await verifyBundle(input);
    if ("kernel" in rtl && report.backends.rtl !== undefined) {
      const { latencyCycles, intervalCycles } = report.backends.rtl;
      updateManifest(bundle, {
        measured: { latencyCycles, intervalCycles, simulator: rtl.kernel.simulator },
      });
    }
    if (!options.selfCheck) return report;
    onProgress("planting faults");
    const faults = await plantFaults(bundle, emulator, rtlDevice, seed);
    return { ...report, ok: report.ok && faults.every(({ caught }) => caught), selfCheck: faults };
  } finally {
    for (const backend of [rtl, icarus]) if ("kernel" in backend) await backend.kernel.close();
    await emulator.close();
    await emulatorDevice.close();
  }
}

/** A simulator for the bundle, or the reason why there is none. */
async function openBackend(device: RtlDevice, bundle: Bundle): Promise<Backend<SimulatedKernel>> {
  try {
    return { kernel: await device.load(bundle) };
  } catch (error) {
    const problem = error instanceof Nn2fpgaError ? error.problems[0] : undefined;
    if (problem?.code !== "N2F_TOOL_MISSING") throw error;
    return { skipped: `${problem.message}. ${problem.hint ?? ""}`.trim() };
  }
}

/** The float network of the model that travels with the bundle. */
async function openReference(
  bundle: Bundle,
  graph: Graph,
): Promise<FloatReference | { readonly skipped: string }> {
  if (!(bundlePaths.model in bundle.manifest.files)) {
    return {
      skipped: "the model keeps its weights in other files and does not travel with the bundle",
    };
  }
  const folder = mkdtempSync(join(tmpdir(), "nn2fpga-model-"));
  try {
    const path = join(folder, "model.onnx");
    writeFileSync(path, bundle.read(bundlePaths.model));
    const inner = [...graph.values.values()].flatMap(({ id, kind }) => (kind === "op" ? [id] : []));
    return await openFloatReference(path, inner);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function plantFaults(
  bundle: Bundle,
  emulator: Kernel,
  device: RtlDevice,
  seed: number,
): Promise<MutationResult[]> {
  const { inputs, kernel } = bundle.manifest;
  const samples = readSamples(bundle);
  const count = Math.min(samples.count, mutantVectors / 2);
  const sampled = packSamples(samples, inputs, count);
  const vectors = makeVectors(inputs, new Uint8Array(), sampled, mutantVectors, seed);
  const answers = await emulator.run(vectors.packets, vectors.count);
  const summary = JSON.parse(
    new TextDecoder().decode(bundle.read(bundlePaths.compileReport)),
  ) as CompileSummary;
  const rebuild = (graph: Graph): Bundle => {
    const { clockMhz, maxLevels, reuse, top } = kernel;
    const layerReuse = new Map(Object.entries(summary.layerReuse));
    const { architecture } = kernel;
    const { target, targetFps, asked = {} } = summary.stream ?? {};
    const layers = new Map(Object.entries(asked));
    const design = planDesign(graph, top, {
      ...{ architecture, clockMhz, maxLevels, reuse, layerReuse, layers },
      ...(target !== undefined && { target }),
      ...(targetFps !== undefined && { targetFps }),
    });
    const files = new Map<string, Uint8Array | string>();
    const header = { source: bundle.manifest.source.file, generator: bundle.manifest.generator };
    const sources = addVerilog(files, design, header);
    return withFiles(bundle, files, { sources });
  };
  return selfCheck({
    bundle,
    ops,
    graph: readNetwork(bundle, ops),
    rebuild,
    load: (mutant) => device.load(mutant),
    packets: vectors.packets,
    answers,
    count: vectors.count,
    seed,
  });
}
