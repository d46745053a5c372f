// Rows a second and per CPU second through the server's core, without a network between:
//   npm run build && node scripts/bench-serve-core.js BUNDLE [ROWS] [THREADS]
// Float32 in, quantized, computed by the emulator, dequantized. The answers are compared with `predict`.

import { openDevice, predict, readBundle } from "../dist/index.js";
import { createInferenceCore } from "../dist/serve/index.js";

const [folder, rowsText = "16000", threadsText = "0"] = process.argv.slice(2);
if (folder === undefined) throw new Error("a bundle is wanted");
const [rows, threads] = [Number(rowsText), Number(threadsText)];

const { core, loaded } = createInferenceCore({ repository: folder, threads });
const failures = await loaded;
if (failures.length > 0) throw new Error(failures.join("\n"));
const model = core.defaultModel();
const inputs = core.modelMetadata(model, "").inputs.map(({ name, datatype, shape }) => {
  const full = [rows, ...shape.slice(1)];
  const size = full.reduce((product, extent) => product * extent, 1);
  return {
    name,
    datatype,
    shape: full,
    data: Float32Array.from({ length: size }, (_, i) => 3 * Math.sin(i)),
  };
});

async function infer() {
  const request = core.begin({ model, version: "", id: "", inputs, outputs: [] });
  inputs.forEach(({ data }, i) => {
    request.inputs[i].open(data.byteLength).set(new Uint8Array(data.buffer));
  });
  const response = await request.run();
  const copies = response.outputs.map(({ bytes }) => bytes.slice());
  response.release();
  return copies;
}

const device = openDevice("emulator", { threads: 0 });
const bundle = readBundle(folder);
const samples = new Map(inputs.map(({ name, data }) => [name, Float64Array.from(data)]));
const expected = await predict(await device.load(bundle), bundle.manifest, {
  count: rows,
  data: samples,
});
const answers = await infer();
const isSame = expected.every(({ tensor }, i) =>
  Buffer.from(Float32Array.from(tensor.data).buffer).equals(Buffer.from(answers[i])),
);
if (!isSame) throw new Error("the answers are not those of predict");

for (let i = 0; i < 10; i++) await infer();
const [started, cpu] = [performance.now(), process.cpuUsage()];
const repetitions = Math.max(20, Math.ceil(1_000_000 / rows));
for (let i = 0; i < repetitions; i++) await infer();
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(cpu);
console.log(
  JSON.stringify({
    model,
    rows,
    threads,
    rowsPerSecond: Math.round((repetitions * rows) / seconds),
    rowsPerCpuSecond: Math.round((repetitions * rows) / ((user + system) / 1e6)),
  }),
);
await core.close();
await device.close();
