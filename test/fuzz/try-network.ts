import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readBundle } from "../../src/artifact/index.ts";
import { Nn2fpgaError, Random } from "../../src/base/index.ts";
import { compile, loadConfig } from "../../src/index.ts";
import { checkStream } from "../support/stream-check.ts";
import { type RandomNetwork, randomNetwork } from "./random-network.ts";

/** What became of a random network. */
export interface NetworkAnswer {
  /** `exact`: every bit and cycle as predicted; `refused`: an error with a code; `FAULT`: anything else. */
  readonly kind: "exact" | "refused" | "FAULT";
  readonly detail: string;
  readonly layers: readonly string[];
}

/** A device on which small networks have to be folded. */
const smallDevice = {
  title: "a small device",
  resources: { lut: 12_000, ff: 24_000, dsp: 40, bram36: 20 },
};

/** Clock of the designs. */
const clockHz = 200e6;

/** Compiles the network of a seed as streams, and runs it in Verilator. */
export async function tryNetwork(seed: number, most?: number): Promise<NetworkAnswer> {
  const network = randomNetwork(seed, most);
  const folder = mkdtempSync(join(tmpdir(), "nn2fpga-network-"));
  try {
    return { ...(await tryIn(folder, network, new Random(seed + 1e9))), layers: network.layers };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function tryIn(
  folder: string,
  network: RandomNetwork,
  random: Random,
): Promise<Omit<NetworkAnswer, "layers">> {
  const [model, place] = [join(folder, "model.onnx"), join(folder, "model.n2f")];
  writeFileSync(model, network.model);
  const config = writeConfig(folder, network, random);
  try {
    compile(model, place, { config: loadConfig(config, {}), calibration: [] });
    const { latencyCycles, intervalCycles } = readBundle(place).manifest.kernel.predicted;
    // Enough for the interval to come back.
    const vectors = Math.min(300, 16 + 4 * Math.ceil(latencyCycles / intervalCycles));
    const { measured, faults: found } = await checkStream(place, vectors);
    const faults = [...found];
    if (measured.latencyCycles !== latencyCycles || measured.intervalCycles !== intervalCycles)
      faults.push(
        `latency and interval ${measured.latencyCycles}, ${measured.intervalCycles} instead of ${latencyCycles}, ${intervalCycles}`,
      );
    return faults.length === 0
      ? { kind: "exact", detail: "" }
      : { kind: "FAULT", detail: faults.join("\n") };
  } catch (error) {
    if (error instanceof Nn2fpgaError) {
      const [{ code, message }] = error.problems;
      return { kind: "refused", detail: `${code}: ${message}` };
    }
    return { kind: "FAULT", detail: String(error instanceof Error ? error.stack : error) };
  }
}

/** A configuration that asks for a rate, a small device, or foldings by hand. */
function writeConfig(folder: string, { weighted }: RandomNetwork, random: Random): string {
  const device = join(folder, "device.json");
  writeFileSync(device, JSON.stringify(smallDevice));
  const width = [3, 4, 6, 8, 8, 8, 12, 16][random.below(8)];
  const cycles = Math.round(2 ** (5 + 7 * random.uniform()));
  const way = random.below(4);
  const model = {
    Architecture: "stream",
    Precision: String(width),
    ...(way === 0 ? { Target: device } : { TargetFps: Math.ceil(clockHz / cycles) }),
  };
  const layers = way > 1 ? [] : weighted.filter(() => random.below(2) === 0);
  const asked = layers.map((name) => [name, { ReuseFactor: 1 + random.below(30) }]);
  const text = { Model: model, ...(asked.length > 0 && { LayerName: Object.fromEntries(asked) }) };
  const path = join(folder, "config.yaml");
  writeFileSync(path, JSON.stringify(text)); // which is YAML
  return path;
}

/** The shortest beginning of a network that is at fault too. */
export async function shrink(seed: number): Promise<NetworkAnswer> {
  for (let most = 0; ; most++) {
    const answer = await tryNetwork(seed, most);
    if (answer.kind === "FAULT" || most > 8) return answer;
  }
}
