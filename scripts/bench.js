// Measures what the project promises to be fast, and prints ratios against published figures of peers.
// Times are CPU seconds, so that a busy machine matters less; still, compare ratios and not numbers.
//
//   npm run bench            compile, emulator, Verilator model, server
//   npm run bench -- --serve the server alone
//   npm run bench -- --synth also synthesis with Yosys (minutes)
//
// Workloads: the folder named by N2F_WORKLOADS, or `shared/workloads` beside the clone; without it the
// examples of the project are measured, for which there are no peers' figures.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const workloads = process.env.N2F_WORKLOADS ?? join(root, "..", "shared", "workloads");
const work = mkdtempSync(join(tmpdir(), "nn2fpga-bench-"));

/** Figures of other converters on the same files (one busy machine, CPU seconds). */
const peers = {
  da4ml: { compile: 2.3, interpreter: 57_600, verilatorBuild: 367, verilatorRate: 71_000 },
  hls4ml: { rate: 16_300 },
  da4mlLuts: {
    w2_16_4: 2068,
    w2_16_6: 3177,
    w2_16_8: 4147,
    w2_32_4: 7817,
    w2_32_6: 11529,
    w2_32_8: 15718,
  },
};

const rows = [];
const row = (what, measured, peer, ratio) => {
  rows.push([what, measured, peer, ratio]);
  process.stdout.write(
    `${what.padEnd(44)} ${measured.padStart(22)}  ${peer.padEnd(26)} ${ratio}\n`,
  );
};

/** Runs a shell command; gives its output and the CPU seconds of it and all its children. */
function cpuOf(command, env = {}) {
  const script = `${command}\nstatus=$?\ntimes >&2\nexit $status`;
  const result = spawnSync("bash", ["-c", script], {
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 1 << 28,
  });
  if (result.status !== 0) throw new Error(`${command} failed:\n${result.stderr}`);
  const children = result.stderr.trim().split("\n").at(-1) ?? "";
  const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest),
    0,
  );
  return { seconds, out: result.stdout };
}

/** Runs JavaScript against the built package; what it prints as JSON. */
function inNode(code) {
  const result = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
    encoding: "utf8",
    cwd: root,
  });
  if (result.status !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout);
}

const dist = (path) => JSON.stringify(new URL(`../dist/${path}`, import.meta.url).href);

/** From a file of a large network to its quantized graph: CPU seconds of each step, and the greatest memory. */
function quantizeLarge(model) {
  const code = `import { readModel, importModel } from ${dist("onnx/index.js")};
    import { ops } from ${dist("ops/index.js")};
    import { inputsOf, workOf } from ${dist("ir/index.js")};
    import { runPasses } from ${dist("passes/index.js")};
    import { defaultQuantizeOptions, gatherStatistics, quantizeGraph } from ${dist("quantize/index.js")};
    import { makeTensor, sizeOf } from ${dist("tensor/index.js")};
    const seconds = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
    const graph = runPasses(importModel(readModel(${JSON.stringify(model)})), ops);
    const imported = seconds();
    const feed = new Map(inputsOf(graph).map(({ id, shape }) => {
      const size = sizeOf(shape);
      return [id, makeTensor(shape, Float64Array.from({ length: size }, (_, i) => i / size))];
    }));
    const statistics = gatherStatistics(graph, ops, [feed]);
    const calibrated = seconds();
    const options = { ...defaultQuantizeOptions, default: { kind: "width", widthBits: 8 } };
    quantizeGraph(graph, ops, statistics, options);
    console.log(JSON.stringify({
      imported, calibrated: calibrated - imported, quantized: seconds() - calibrated, total: seconds(),
      maxRssMb: process.resourceUsage().maxRSS / 1024, macs: workOf(graph),
    }));`;
  return inNode(code);
}

function largeNetworks(folder) {
  for (const name of ["resnet50", "vgg19"]) {
    const { imported, calibrated, quantized, total, maxRssMb, macs } = quantizeLarge(
      join(folder, `light_${name}.onnx`),
    );
    const rate = (macs / calibrated / 1e9).toFixed(2);
    row(
      `${name}: import, passes, quantization`,
      `${total.toFixed(1)} CPU s`,
      `${Math.round(maxRssMb)} MB`,
      `${imported.toFixed(1)} + ${calibrated.toFixed(1)} (${rate} G MAC/s) + ${quantized.toFixed(1)} s`,
    );
  }
}

/** G products per CPU second of the emulator for a 3x3 convolution of 64 to 64 channels, 8 bits. */
function convolutionRate() {
  const code = `import { emitEmulator } from ${dist("emit/emulator/index.js")};
    import { Builder, workOf } from ${dist("ir/index.js")};
    import { ops } from ${dist("ops/index.js")};
    import { portsOf } from ${dist("ports-of.js")};
    import { Random } from ${dist("base/index.js")};
    import { defaultQuantizeOptions, gatherStatistics, quantizeGraph } from ${dist("quantize/index.js")};
    import { instantiateEmulator, packSamples } from ${dist("runtime/index.js")};
    import { makeTensor } from ${dist("tensor/index.js")};
    const random = new Random(1);
    const draw = (size) => Float64Array.from({ length: size }, () => random.normal());
    const build = new Builder(ops).from({ node: "conv", type: "Conv" });
    const shape = [1, 16, 16, 64];
    const x = build.input("x", { shape, dtype: "float" });
    const w = build.constant(makeTensor([1, 576, 64], draw(576 * 64)), "w");
    const attrs = { kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], group: 1 };
    const graph = build.graph("conv", [{ name: "y", value: build.op("conv", [x, w], attrs, "y") }]);
    const data = draw(16 * 16 * 64);
    const statistics = gatherStatistics(graph, ops, [new Map([[x, makeTensor(shape, data)]])]);
    const quantized = quantizeGraph(graph, ops, statistics, { ...defaultQuantizeOptions, default: { kind: "width", widthBits: 8 } });
    const ports = portsOf(quantized);
    const kernel = instantiateEmulator("conv", emitEmulator(quantized.graph, ops, ports.inputs, ports.outputs), ports);
    const count = 16;
    const all = new Float64Array(count * data.length);
    for (let i = 0; i < count; i++) all.set(data, i * data.length);
    const packets = packSamples({ count, data: new Map([["x", all]]) }, ports.inputs, count);
    for (let i = 0; i < 3; i++) kernel.run(packets, count);
    const before = process.cpuUsage();
    let runs = 0;
    do { kernel.run(packets, count); runs++; } while (process.cpuUsage(before).user < 2e6);
    const { user, system } = process.cpuUsage(before);
    console.log(JSON.stringify({ rate: (runs * count * workOf(graph)) / ((user + system) * 1e3) }));`;
  return inNode(code).rate;
}

function compileModel(model, name, ...flags) {
  const folder = join(work, `${name}.n2f`);
  const argv = ["compile", model, "-o", folder, "--json", ...flags];
  const code = `import { main } from ${dist("cli/main.js")};
    const write = process.stdout.write.bind(process.stdout);
    process.stdout.write = () => true;
    const before = process.cpuUsage();
    const status = await main(${JSON.stringify(argv)});
    const { user, system } = process.cpuUsage();
    if (status !== 0) process.exit(status);
    write(JSON.stringify({ seconds: (user + system) / 1e6, mainSeconds: (user - before.user) / 1e6, maxRssMb: process.resourceUsage().maxRSS / 1024 }));`;
  return { folder, ...inNode(code) };
}

function emulatorRate(folder, count) {
  const code = `import { readBundle, packetBytes } from ${dist("artifact/index.js")};
    import { openDevice } from ${dist("runtime/index.js")};
    import { Random } from ${dist("base/index.js")};
    const bundle = readBundle(${JSON.stringify(folder)});
    const device = openDevice("emulator", { threads: 0 });
    const kernel = await device.load(bundle);
    const bytes = new Uint8Array(packetBytes(bundle.manifest.inputs) * ${count});
    const random = new Random(1);
    for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256);
    for (let i = 0; i < 20; i++) await kernel.run(bytes, ${count});
    const before = process.cpuUsage();
    let runs = 0;
    do { await kernel.run(bytes, ${count}); runs++; } while (process.cpuUsage(before).user < 2e6);
    const { user, system } = process.cpuUsage(before);
    console.log(JSON.stringify({ rate: (runs * ${count}) / ((user + system) / 1e6) }));`;
  return inNode(code).rate;
}

/** A Node script that loads a bundle on the device rtl and runs some inferences. */
function rtlScript(folder, count) {
  return `import { readBundle, packetBytes } from ${dist("artifact/index.js")};
    import { openDevice } from ${dist("runtime/index.js")};
    const bundle = readBundle(${JSON.stringify(folder)});
    const kernel = await openDevice("rtl").load(bundle);
    if (${count} > 0) await kernel.run(new Uint8Array(packetBytes(bundle.manifest.inputs) * ${count}).map((_, i) => (i * 2654435761) >>> 24), ${count});
    await kernel.close();
    // Its time counts once it has ended and been seen to.
    await new Promise((resolve) => setTimeout(resolve, 500));`;
}

function verilator(name, folder) {
  const cache = join(work, "cache");
  const run = (count) =>
    cpuOf(`${process.execPath} --input-type=module -e '${rtlScript(folder, count)}'`, {
      N2F_CACHE: cache,
    }).seconds;
  const build = run(0);
  const idle = run(1);
  const count = 400_000;
  const rate = count / (run(count) - idle);
  row(
    `${name}: Verilator model, build`,
    `${build.toFixed(1)} CPU s`,
    `da4ml ${peers.da4ml.verilatorBuild} s`,
    `${(build / peers.da4ml.verilatorBuild).toFixed(3)} of it`,
  );
  row(
    `${name}: Verilator model, run`,
    `${Math.round(rate / 1000)} k inf/CPU s`,
    `da4ml ${peers.da4ml.verilatorRate / 1000} k/s`,
    `${(rate / peers.da4ml.verilatorRate).toFixed(2)} times`,
  );
}

/** Compiles a network as streams; CPU seconds of the whole and of the schedule alone, and the prediction. */
function compileStream(model, name, target) {
  const folder = join(work, `${name}.n2f`);
  const code = `import { compile } from ${dist("compile.js")};
    import { loadConfig } from ${dist("config/index.js")};
    const seconds = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
    const starts = new Map();
    const onProgress = (step) => { if (!starts.has(step)) starts.set(step, seconds()); };
    const config = loadConfig(undefined, { architecture: "stream", target: ${JSON.stringify(target)} });
    const { intervalCycles, latencyCycles, resources } = compile(${JSON.stringify(model)}, ${JSON.stringify(folder)}, { config, calibration: [], onProgress });
    const schedule = starts.get("writing Verilog") - starts.get("scheduling");
    console.log(JSON.stringify({ intervalCycles, latencyCycles, resources, schedule, total: seconds() }));`;
  return { folder, ...inNode(code) };
}

/** ResNet-8 as streams: schedule, build of the Verilator model, inferences that it simulates. */
function streams(folder) {
  const model = join(folder, "resnet8-cifar10-w8a8-qonnx", "model.onnx");
  const resnet8 = compileStream(model, "resnet8", "kv260");
  const { intervalCycles, resources, schedule, total } = resnet8;
  row(
    "ResNet-8 as streams, KV260: schedule",
    `${schedule.toFixed(1)} CPU s`,
    `${total.toFixed(1)} s of compile`,
    `interval ${intervalCycles}, ${resources.dsp} DSP, ${resources.lut} LUT`,
  );
  const cache = join(work, "cache-stream");
  const run = (count) =>
    cpuOf(`${process.execPath} --input-type=module -e '${rtlScript(resnet8.folder, count)}'`, {
      N2F_CACHE: cache,
    }).seconds;
  const build = run(0);
  const few = run(2);
  const count = 18;
  const perInference = (run(count) - few) / (count - 2);
  row("ResNet-8 as streams: Verilator model, build", `${build.toFixed(1)} CPU s`, "", "");
  row(
    "ResNet-8 as streams: Verilator model, run",
    `${(1 / perInference).toPrecision(3)} inf/CPU s`,
    "",
    `${(intervalCycles / perInference / 1000).toPrecision(3)} k cycles/CPU s`,
  );
}

/** What requests cost in the server beside one of grpc-js, and the scenarios of `nn2fpga bench serve`. */
function serving() {
  const program = [join(root, "scripts", "lib", "run-typescript.js")];
  const ceilings = JSON.parse(
    lastLine([...program, join(root, "test", "support", "serve", "print-ceilings.ts")]),
  );
  if (ceilings.missing !== undefined)
    row("server: CPU of a request", "-", "", `no ${ceilings.missing}`);
  else {
    for (const { model, most, us, reference } of ceilings.grpc) {
      row(
        `server: CPU of a request over gRPC, ${model}`,
        `${us.toFixed()} us`,
        `grpc-js ${reference.toFixed()} us`,
        `${(us / reference).toFixed(2)} of it (at most ${most})`,
      );
    }
    const { us, grpc, reference } = ceilings.http;
    row(
      "server: CPU of a request over HTTP, small",
      `${us.toFixed()} us`,
      `grpc-js ${reference.toFixed()} us`,
      `${(us / reference).toFixed(2)} of it, ${(us / grpc).toFixed(2)} of gRPC here`,
    );
    const { ms, reference: theirs } = ceilings.distance;
    row(
      "server: an image at 10 ms RTT",
      `${ms.toFixed(1)} ms`,
      `grpc-js ${theirs.toFixed(1)} ms`,
      `${(ms / theirs).toFixed(2)} of it`,
    );
  }
  for (const scenario of ["scale-out", "facile"]) {
    const command = [join(root, "bin", "nn2fpga.js"), "bench", "serve", "--scenario", scenario];
    const { findings } = JSON.parse(allOutput([...command, "--json"]));
    for (const { name, value, wanted, isMet } of findings) {
      row(
        `${scenario}: ${name}`,
        value.split(",")[0],
        wanted.split(",")[0],
        isMet ? "met" : "NOT MET",
      );
    }
  }
}

function allOutput(command) {
  const result = spawnSync(process.execPath, command, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (result.status !== 0) throw new Error(`${command.join(" ")} failed:\n${result.stderr}`);
  return result.stdout;
}

const lastLine = (command) => allOutput(command).trim().split("\n").at(-1);

/** Look-up tables by the recipe that keeps adders whole. */
function synthesize(folder) {
  const { top, sources } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")).kernel;
  const script = `read_verilog -sv -defer ${sources.join(" ")}; hierarchy -top ${top}; proc; opt_expr; opt_clean; alumacc; flatten; synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top ${top}; tee -o stat.txt stat`;
  const result = spawnSync("yosys", ["-q", "-p", script], {
    cwd: join(folder, "rtl"),
    encoding: "utf8",
  });
  if (result.status !== 0) throw new Error(result.stderr.slice(-2000));
  const count = (pattern) =>
    [...readFileSync(join(folder, "rtl", "stat.txt"), "utf8").matchAll(pattern)].reduce(
      (sum, match) => sum + Number(match[1]),
      0,
    );
  return {
    lut: count(/LUT\d\s+(\d+)/g),
    ff: count(/FD\w+\s+(\d+)/g),
    dsp: count(/DSP48\w*\s+(\d+)/g),
    bram36: count(/RAMB36\w*\s+(\d+)/g) + count(/RAMB18\w*\s+(\d+)/g) / 2,
  };
}

try {
  row("what", "measured", "peer", "ratio");
  if (process.argv.includes("--serve")) serving();
  else if (!existsSync(workloads)) {
    process.stdout.write(`no workloads at ${workloads}: measuring the examples alone\n`);
    for (const name of readdirSync(join(root, "examples")).filter((entry) => /^\d/.test(entry))) {
      const { folder, seconds, maxRssMb } = compileModel(
        join(root, "examples", name, "model.onnx"),
        name,
      );
      row(`${name}: compile`, `${seconds.toFixed(2)} CPU s`, "", `${Math.round(maxRssMb)} MB`);
      row(
        `${name}: emulator`,
        `${Math.round(emulatorRate(folder, 4096) / 1000)} k inf/CPU s`,
        "",
        "",
      );
    }
  } else {
    const model = join(workloads, "w1_float.onnx");
    const w1 = compileModel(model, "w1");
    row(
      "w1 (16 bits): compile",
      `${w1.seconds.toFixed(2)} CPU s`,
      `da4ml ${peers.da4ml.compile} s`,
      `${(w1.seconds / peers.da4ml.compile).toFixed(2)} of it, ${Math.round(w1.maxRssMb)} MB`,
    );
    const exact = compileModel(
      model,
      "w1_8bit",
      "--config",
      join(root, "scripts", "bench-w1.yaml"),
    );
    row(
      "w1 (8 bits, as the peers): compile",
      `${exact.seconds.toFixed(2)} CPU s`,
      `da4ml ${peers.da4ml.compile} s`,
      `${(exact.seconds / peers.da4ml.compile).toFixed(2)} of it`,
    );
    for (const [name, { folder }] of Object.entries({ "w1 (16 bits)": w1, "w1 (8 bits)": exact })) {
      const rate = emulatorRate(folder, 4096);
      row(
        `${name}: emulator, one thread`,
        `${Math.round(rate / 1000)} k inf/CPU s`,
        `hls4ml ${peers.hls4ml.rate / 1000} k/s`,
        `${(rate / peers.hls4ml.rate).toFixed(1)} times`,
      );
      row(
        "",
        "",
        `da4ml ${peers.da4ml.interpreter / 1000} k/s`,
        `${(rate / peers.da4ml.interpreter).toFixed(1)} times`,
      );
    }
    const facile = compileModel(join(root, "examples", "02-facile", "model.onnx"), "facile");
    row(
      "FACILE (16 bits): emulator, one thread",
      `${(emulatorRate(facile.folder, 16_000) / 1e6).toFixed(2)} M rows/CPU s`,
      "",
      "",
    );
    verilator("w1 (8 bits)", exact.folder);
    row(
      "convolution 3x3, 64 to 64 (8 bits): emulator",
      `${convolutionRate().toFixed(1)} G products/CPU s`,
      "",
      "",
    );
    const light = join(workloads, "..", "corpus", "onnx_conformance", "light");
    if (existsSync(light)) largeNetworks(light);
    const models = join(workloads, "..", "corpus", "models");
    if (existsSync(models)) streams(models);
    const sizes = [16, 32, 64].map((n) => {
      const { seconds } = compileModel(
        join(workloads, `w2_${n}_6.onnx`),
        `w2_${n}`,
        "--precision",
        "fixed<8,8>",
        "--output-precision",
        "exact",
      );
      row(`w2_${n}_6: compile`, `${seconds.toFixed(2)} CPU s`, "", "");
      return { weights: n * n, seconds };
    });
    const [first, , last] = sizes;
    const growth = last.seconds / first.seconds;
    const allowed =
      (last.weights * Math.log2(last.weights)) / (first.weights * Math.log2(first.weights));
    row(
      "w2_16_6 to w2_64_6: growth",
      `${growth.toFixed(1)} times`,
      `n log n: ${allowed.toFixed(1)} times`,
      growth <= allowed ? "within" : "ABOVE",
    );
    if (process.argv.includes("--synth")) {
      for (const [name, luts] of Object.entries(peers.da4mlLuts)) {
        const { folder } = compileModel(
          join(workloads, `${name}.onnx`),
          name,
          "--precision",
          "fixed<8,8>",
          "--output-precision",
          "exact",
        );
        const { lut } = synthesize(folder);
        const estimated = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")).kernel
          .resources.lut;
        row(
          `${name}: LUT by Yosys`,
          String(lut),
          `da4ml ${luts}`,
          `${(lut / luts).toFixed(3)} of it; estimated ${estimated}`,
        );
      }
    }
    serving();
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
