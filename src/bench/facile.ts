import { readBundle } from "../artifact/index.ts";
import { fail, Random } from "../base/index.ts";
import { openDevice, predict } from "../runtime/index.ts";
import { batchShape, matchSamples, readArrays, type Samples, sizeOf } from "../tensor/index.ts";
import type { Finding } from "./finding.ts";
import { outputsOf, type Protocol, prepareRequest, type RequestTensor } from "./request.ts";
import { startServerProcess } from "./server-process.ts";
import { type Curve, sweep } from "./sweep.ts";

export interface FacilePlan {
  readonly bundle: string;
  /** Real inputs, repeated as often as needed; without a file, standard-normal numbers. */
  readonly inputs?: string;
  /** Of one request. */
  readonly rows: number;
  readonly device: string;
  readonly threads?: number;
  readonly protocol: Protocol;
  readonly clients: readonly number[];
  readonly rttsMs: readonly number[];
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly onProgress?: (step: string) => void;
}

export interface FacileReport {
  readonly model: string;
  readonly rows: number;
  readonly requestBytes: number;
  readonly curves: readonly Curve[];
  /** Rows a second for each core of the server's that was busy, at the best point. */
  readonly rowsPerCpuSecond: number | undefined;
  readonly rowsPerSecond: number;
  /** Answers that were compared with `predict`, bit for bit. */
  readonly compared: number;
  readonly findings: readonly Finding[];
}

/**
 * The calorimeter's test: an event's 16,000 channels are one request to a tiny network.
 *
 * @throws N2F_COMPARE_MISMATCH where an answer has other bits than `predict` gives
 */
export async function runFacile(plan: FacilePlan): Promise<FacileReport> {
  const { rows, protocol } = plan;
  const { manifest } = readBundle(plan.bundle);
  const samples = rowsFor(plan);
  const expected = await predictBytes(plan.bundle, samples);
  const request = prepareRequest(protocol, manifest.name, requestTensors(plan.bundle, samples));
  const server = await startServerProcess({
    repository: plan.bundle,
    device: plan.device,
    ...(plan.threads !== undefined && { threads: plan.threads }),
  });
  let [compared, different] = [0, 0];
  let curves: readonly Curve[];
  try {
    curves = await sweep({
      ...plan,
      address: server.addresses[protocol],
      request,
      loop: { kind: "closed" },
      serverCpuMs: server.cpuMs,
      check: (answer) => {
        compared++;
        const outputs = outputsOf(protocol, answer);
        const isSame = [...expected].every(([name, bytes]) =>
          outputs.some((output) => output.name === name && bytes.equals(output.bytes)),
        );
        if (!isSame) different++;
      },
    });
  } finally {
    await server.stop();
  }
  if (different > 0) {
    fail(
      "N2F_COMPARE_MISMATCH",
      `${different} of ${compared} answers have other bits than predict`,
      {
        at: plan.bundle,
        hint: "Run `nn2fpga verify` on the bundle; if it agrees, please report this with the bundle.",
      },
    );
  }
  const points = curves.flatMap((curve) => curve.points);
  const perCpu = points.flatMap(({ serverCpuMsPerRequest: ms }) =>
    ms === undefined || ms === 0 ? [] : [(1000 * rows) / ms],
  );
  const rowsPerCpuSecond = perCpu.length === 0 ? undefined : Math.max(...perCpu);
  const errors = points.reduce((sum, point) => sum + point.errors, 0);
  return {
    model: manifest.name,
    rows,
    requestBytes: request.body.length,
    curves,
    rowsPerCpuSecond,
    rowsPerSecond: rows * Math.max(...points.map(({ perSecond }) => perSecond)),
    compared,
    findings: [
      {
        name: "the bits of predict",
        value: `${compared} answers of ${rows} rows, ${different} with other bits`,
        wanted: "all answers",
        isMet: compared > 0 && different === 0,
      },
      {
        name: "rows a second and core",
        value: rowsPerCpuSecond === undefined ? "unknown" : millions(rowsPerCpuSecond),
        wanted: "at least 2.00 M",
        isMet: (rowsPerCpuSecond ?? 0) >= 2e6,
      },
      { name: "errors", value: String(errors), wanted: "0", isMet: errors === 0 },
    ],
  };
}

/** As many rows as a request has, in the precision in which they travel. */
export function rowsFor({
  bundle,
  inputs,
  rows,
}: Pick<FacilePlan, "bundle" | "inputs" | "rows">): Samples {
  const ports = readBundle(bundle).manifest.inputs;
  const random = new Random(1);
  const given = inputs === undefined ? undefined : matchSamples(readArrays(inputs), ports, inputs);
  const data = ports.map(({ name, shape }) => {
    const source = given?.data.get(name);
    const numbers = new Float64Array(rows * sizeOf(shape));
    for (let i = 0; i < numbers.length; i++) {
      numbers[i] = Math.fround(source === undefined ? random.normal() : source[i % source.length]);
    }
    return [name, numbers] as const;
  });
  return { count: rows, data: new Map(data) };
}

export function requestTensors(bundle: string, { count, data }: Samples): readonly RequestTensor[] {
  return readBundle(bundle).manifest.inputs.map(({ name, shape, meaning }) => {
    const numbers = data.get(name) as Float64Array;
    return {
      name,
      datatype: meaning === "real" ? "FP32" : "INT64",
      shape: batchShape(count, shape),
      bytes: encode(numbers, meaning),
    };
  });
}

/** What `predict` says, as a server writes it: float32, or int64 where numbers are integers. */
async function predictBytes(folder: string, samples: Samples): Promise<Map<string, Buffer>> {
  const bundle = readBundle(folder);
  const device = openDevice("emulator", { threads: 0 });
  try {
    const kernel = await device.load(bundle);
    const answers = await predict(kernel, bundle.manifest, samples);
    return new Map(
      answers.map(({ name, tensor, elementType }) => [
        name,
        Buffer.from(encode(tensor.data, elementType === "int64" ? "integer" : "real")),
      ]),
    );
  } finally {
    await device.close();
  }
}

function encode(numbers: Float64Array, meaning: "real" | "integer"): Uint8Array {
  const array =
    meaning === "real"
      ? Float32Array.from(numbers)
      : BigInt64Array.from(numbers, (x) => BigInt(Math.round(x)));
  return new Uint8Array(array.buffer);
}

function millions(value: number): string {
  return `${(value / 1e6).toFixed(2)} M`;
}
