/**
 * Benches for the modules of `hw/rtl`: makes a SystemVerilog top named `bench` with many lanes, builds
 * it with Verilator around a harness of `hw/tb`, runs it, and hands back what came out and when.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll } from "vitest";
import {
  checkParameters,
  type HardwareModule,
  moduleFiles,
  type ParameterSpecs,
  type ParameterValues,
  parameterText,
} from "../../src/hwlib/index.ts";
import { cacheFolder, contentKey } from "../../src/tools/index.ts";

export const hardwareFolder = resolve(dirname(fileURLToPath(import.meta.url)), "../../hw");

/** The programs that are there; a test without its program skips and says so. */
export const tools = {
  verilator: isInstalled("verilator", "--version"),
  icarus: isInstalled("iverilog", "-V"),
  yosys: isInstalled("yosys", "-V"),
};

function isInstalled(program: string, ...args: string[]): boolean {
  const found = spawnSync(program, args).status === 0;
  if (!found) console.warn(`${program} is not installed: tests that need it are skipped`);
  return found;
}

/** A folder that is there while the tests of the surrounding `describe` run. */
export function temporaryFolder(): { readonly path: string } {
  const folder = { path: "" };
  beforeAll(() => {
    folder.path = mkdtempSync(join(tmpdir(), "n2f-hw-"));
  });
  afterAll(() => rmSync(folder.path, { recursive: true, force: true }));
  return folder;
}

/** Runs a program in a folder. The head of its output is in the error if it fails. */
export function run(folder: string, program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 2 ** 30,
    });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    const output = `${stdout}${stderr}`.slice(0, 8000);
    // No cause: it holds the same output again, in full.
    throw new Error(`${program} ${args.join(" ").slice(0, 500)}\n${output}`);
  }
}

/** Absolute paths of some modules and of all that they use. */
export function rtlFiles(...modules: readonly HardwareModule[]): string[] {
  return moduleFiles(modules.map((module) => module.name)).map((file) =>
    join(hardwareFolder, "rtl", file),
  );
}

/** An instance named `dut`, or as said; a port that is not connected gets the signal of its name. */
export function instance<S extends ParameterSpecs>(
  module: HardwareModule<S>,
  params: ParameterValues<S>,
  connections: Readonly<Record<string, string>> = {},
  name = "dut",
): string {
  checkParameters(module, params);
  const values = Object.entries<number | boolean | string>(params);
  const ports = [...Object.keys(module.ports.inputs), ...Object.keys(module.ports.outputs)];
  for (const port of Object.keys(connections)) {
    if (!ports.includes(port)) throw new Error(`${module.name} has no port ${port}`);
  }
  return [
    `${module.name} #(${values.map(([key, value]) => `.${key}(${parameterText(value)})`).join(", ")})`,
    `  ${name} (${ports.map((port) => `.${port}(${connections[port] ?? port})`).join(", ")});`,
  ].join("\n");
}

/** Verilator's linter with all warnings on; throws what it says. */
export function lint(folder: string, top: string, files: readonly string[]): void {
  run(folder, "verilator", ["--lint-only", "-Wall", "--top-module", top, ...files]);
}

// The benches run for a blink; the compiler is what takes time.
const quickBuild = [
  ...["-CFLAGS", "-O1 -std=c++17"],
  ...["-MAKEFLAGS", "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"],
];

/** A program of `bench` and a harness. Lint warnings of the RTL are errors, unless the files are a tool's output. */
function build(
  folder: string,
  harness: string,
  files: readonly string[],
  warnings: readonly string[] = ["-Wall"],
): string {
  const objects = join(folder, "obj");
  const { taken, keep } = takeLibrary(objects);
  run(folder, "verilator", [
    ...["--cc", "--exe", "--build", "-O3", "-j", "2", ...warnings],
    ...["--top-module", "bench", "--prefix", "Vbench", "--Mdir", "obj", "-o", "bench"],
    ...quickBuild,
    ...taken.flatMap((name) => ["-MAKEFLAGS", `--old-file=${name}`]),
    join(hardwareFolder, "tb", harness),
    ...files,
  ]);
  keep();
  return join(objects, "bench");
}

let libraryKey: string | undefined;

/**
 * Lays Verilator's run-time library, which takes longer to compile than most benches, among the objects, and
 * names it; where it is not there yet, `keep` keeps it for others.
 */
function takeLibrary(objects: string): { taken: readonly string[]; keep: () => void } {
  libraryKey ??= contentKey([
    ...["verilator", "g++"].map((tool) => run(".", tool, ["--version"])),
    ...quickBuild,
  ]);
  const place = join(cacheFolder(), `verilator-bench-${libraryKey}`);
  mkdirSync(objects, { recursive: true });
  if (existsSync(place)) {
    const taken = readdirSync(place);
    for (const name of taken) copyFileSync(join(place, name), join(objects, name));
    return { taken, keep: () => {} };
  }
  const keep = () => {
    mkdirSync(cacheFolder(), { recursive: true });
    const fresh = mkdtempSync(`${place}.`);
    for (const name of readdirSync(objects)) {
      if (/^verilated.*\.o$/.test(name)) copyFileSync(join(objects, name), join(fresh, name));
    }
    try {
      renameSync(fresh, place);
    } catch {
      // Another test was first.
      rmSync(fresh, { recursive: true });
    }
  };
  return { taken: [], keep };
}

/** Words of 32 bits; at least three, which makes Verilator use the same type for every port. */
export function wideWords(bits: number): number {
  return Math.max(3, Math.ceil(bits / 32));
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "    ");
}

// ---- Vectors: one in, one out, every cycle -----------------------------------------------------------

/** A lane without handshake: `body` makes `y` of `x`, and may use `clk`. */
export interface VectorLane {
  readonly xBits: number;
  readonly yBits: number;
  readonly body: string;
}

export interface VectorBench {
  /** @param cycles for each cycle, x of each lane; returns y likewise */
  run(cycles: readonly (readonly bigint[])[]): bigint[][];
}

/** The text of a top whose lanes lie side by side in `all_x` and `all_y`, each at a multiple of four bits. */
export function vectorTop(lanes: readonly VectorLane[]): string {
  const { offsets: xAt, bits: xBits } = nibbles(lanes.map((lane) => lane.xBits));
  const { offsets: yAt, bits: yBits } = nibbles(lanes.map((lane) => lane.yBits));
  const xWords = wideWords(xBits);
  const yWords = wideWords(yBits);
  const blocks = lanes.map(({ xBits, yBits, body }, i) => {
    const slot = Math.ceil(yBits / 4) * 4;
    return `
  if (1) begin : lane_${i}
    logic [${xBits - 1}:0] x;
    logic [${yBits - 1}:0] y;
    assign x = all_x[${xAt[i]}+:${xBits}];
    assign all_y[${yAt[i]}+:${slot}] = ${slot}'(y);
${indent(body)}
  end`;
  });
  return `module bench (
    input  wire logic clk,
    input  wire logic [${xWords * 32 - 1}:0] all_x,
    output      logic [${yWords * 32 - 1}:0] all_y
);
  if (${yWords * 32} > ${yBits}) begin : gen_rest
    assign all_y[${yWords * 32 - 1}:${Math.min(yBits, yWords * 32 - 1)}] = '0;
  end
${blocks.join("\n")}
  logic unused;
  assign unused = &{1'b0, clk, all_x};
endmodule
`;
}

function nibbles(widths: readonly number[]): { offsets: number[]; bits: number } {
  let bits = 0;
  const offsets = widths.map((width) => {
    const at = bits;
    bits += Math.ceil(width / 4) * 4;
    return at;
  });
  return { offsets, bits };
}

export function buildVectorBench(
  folder: string,
  lanes: readonly VectorLane[],
  files: readonly string[],
  options: { throughYosys?: boolean } = {},
): VectorBench {
  writeFileSync(join(folder, "bench.sv"), vectorTop(lanes));
  const program = buildTop(folder, "vector_bench.cpp", files, options.throughYosys ?? false);
  const xWords = wideWords(nibbles(lanes.map((lane) => lane.xBits)).bits);
  const xAt = nibbles(lanes.map((lane) => lane.xBits)).offsets;
  const yAt = nibbles(lanes.map((lane) => lane.yBits)).offsets;
  return {
    run(cycles) {
      const lines = cycles.map((xs) => {
        const digits = new Array<string>(xWords * 8).fill("0");
        xs.forEach((x, i) => {
          const hex = hexOf(x, lanes[i].xBits);
          for (let d = 0; d < hex.length; d++) {
            digits[digits.length - xAt[i] / 4 - hex.length + d] = hex[d];
          }
        });
        return digits.join("");
      });
      writeFileSync(join(folder, "in.txt"), `${lines.join("\n")}\n`);
      run(folder, program, ["in.txt", "out.txt"]);
      return readFileSync(join(folder, "out.txt"), "utf8")
        .trim()
        .split("\n")
        .map((line) =>
          lanes.map(({ yBits }, i) => {
            const end = line.length - yAt[i] / 4;
            return BigInt(`0x${line.slice(end - Math.ceil(yBits / 4), end)}`);
          }),
        );
    },
  };
}

// ---- Streams: ready/valid on both sides --------------------------------------------------------------

/**
 * A lane with a handshake. `body` connects `s_valid`, `s_ready`, `s_data`, `m_valid`, `m_ready` and
 * `m_data`, and may use `clk` and `rst` and drive `flag`.
 */
export interface StreamLane {
  readonly name: string;
  readonly sBits: number;
  readonly mBits: number;
  readonly body: string;
  /** Says that `body` drives `flag`. */
  readonly hasFlag?: boolean;
}

export interface Traffic {
  readonly seed: number;
  /** Greatest chance of a pause per cycle, in percent; drawn anew now and then. */
  readonly pauseIn: number;
  readonly pauseOut: number;
  /** Ready at the output only after valid: whatever waits for ready stands still for ever. */
  readonly shyOut?: boolean;
}

export interface StreamResult {
  /** Cycle in which each beat was accepted. */
  readonly accepted: readonly number[];
  readonly delivered: readonly { readonly cycle: number; readonly data: bigint }[];
  /** Rules of the handshake that were broken. */
  readonly violations: readonly string[];
  readonly flag: boolean;
}

export interface StreamBench {
  /** Sends every lane its beats and waits for as many as are expected, and a while for what is too much. */
  run(
    beats: readonly (readonly bigint[])[],
    expected: readonly number[],
    traffic: Traffic,
  ): StreamResult[];
}

function streamTop(lanes: readonly StreamLane[]): string {
  const flags = wideWords(lanes.length) * 32;
  const { s, m } = streamPlaces(lanes);
  const blocks = lanes.map(({ name, sBits, mBits, body, hasFlag }, i) => {
    return `
  if (1) begin : lane_${i}  // ${name}
    logic s_valid, s_ready, m_valid, m_ready, flag;
    logic [${sBits - 1}:0] s_data;
    logic [${mBits - 1}:0] m_data;
    assign s_valid = all_s_valid[${i}];
    assign s_data  = all_s_data[${s.at[i] * 32}+:${sBits}];
    assign m_ready = all_m_ready[${i}];
    assign all_s_ready[${i}] = s_ready;
    assign all_m_valid[${i}] = m_valid;
    assign all_m_data[${m.at[i] * 32}+:${m.words[i] * 32}] = ${m.words[i] * 32}'(m_data);
    assign all_flag[${i}] = flag;
${hasFlag ? "" : "    assign flag = 1'b0;\n"}${indent(body)}
  end`;
  });
  return `module bench (
    input  wire logic clk,
    input  wire logic rst,
    input  wire logic [${flags - 1}:0] all_s_valid,
    output      logic [${flags - 1}:0] all_s_ready,
    input  wire logic [${s.total * 32 - 1}:0] all_s_data,
    output      logic [${flags - 1}:0] all_m_valid,
    input  wire logic [${flags - 1}:0] all_m_ready,
    output      logic [${m.total * 32 - 1}:0] all_m_data,
    output      logic [${flags - 1}:0] all_flag
);
  assign all_s_ready[${flags - 1}:${lanes.length}] = '0;
  assign all_m_valid[${flags - 1}:${lanes.length}] = '0;
  assign all_flag[${flags - 1}:${lanes.length}] = '0;
${m.total > m.used ? `  assign all_m_data[${m.total * 32 - 1}:${m.used * 32}] = '0;` : ""}
${blocks.join("\n")}
  logic unused;
  assign unused = &{1'b0, clk, rst, all_s_valid, all_s_data, all_m_ready};
endmodule
`;
}

function streamPlaces(lanes: readonly StreamLane[]) {
  const place = (widths: number[]) => {
    let used = 0;
    const words = widths.map((bits) => Math.ceil(bits / 32));
    const at = words.map((count) => {
      used += count;
      return used - count;
    });
    return { at, words, used, total: Math.max(3, used) };
  };
  return {
    s: place(lanes.map((lane) => lane.sBits)),
    m: place(lanes.map((lane) => lane.mBits)),
  };
}

export function buildStreamBench(
  folder: string,
  lanes: readonly StreamLane[],
  files: readonly string[],
  options: { throughYosys?: boolean } = {},
): StreamBench {
  writeFileSync(join(folder, "bench.sv"), streamTop(lanes));
  const program = buildTop(folder, "stream_bench.cpp", files, options.throughYosys ?? false);
  const { s, m } = streamPlaces(lanes);
  return {
    run(beats, expected, { seed, pauseIn, pauseOut, shyOut = false }) {
      const lines = [`lanes ${lanes.length}`];
      lanes.forEach(({ sBits }, i) => {
        lines.push(
          `lane ${s.at[i]} ${s.words[i]} ${m.at[i]} ${m.words[i]} ${beats[i].length} ${expected[i]}`,
          ...beats[i].map((beat) => hexOf(beat, sBits)),
        );
      });
      writeFileSync(join(folder, "in.txt"), `${lines.join("\n")}\n`);
      run(folder, program, [
        "in.txt",
        "out.txt",
        ...[seed, pauseIn, pauseOut, Number(shyOut)].map((number) => String(number)),
      ]);
      return readFileSync(join(folder, "out.txt"), "utf8")
        .split(/^lane \d+\n/m)
        .slice(1)
        .map(readStreamLog);
    },
  };
}

function readStreamLog(log: string): StreamResult {
  const accepted: number[] = [];
  const delivered: { cycle: number; data: bigint }[] = [];
  const violations: string[] = [];
  let flag = false;
  for (const line of log.trim().split("\n")) {
    const [kind, first, second] = line.split(" ");
    if (kind === "i") accepted.push(Number(first));
    else if (kind === "o") delivered.push({ cycle: Number(first), data: BigInt(`0x${second}`) });
    else if (kind === "v") violations.push(line.slice(2));
    else flag = first === "1";
  }
  return { accepted, delivered, violations, flag };
}

/** Builds `bench.sv`, either as it stands or as Yosys understands it. */
export function buildTop(
  folder: string,
  harness: string,
  files: readonly string[],
  throughYosys: boolean,
): string {
  if (!throughYosys) return build(folder, harness, ["bench.sv", ...files]);
  yosys(folder, [
    `read_verilog -sv -D N2F_NO_PRIMITIVES bench.sv ${files.join(" ")}`,
    "hierarchy -check -top bench; proc; flatten; opt; memory -nomap; opt_clean",
    "write_verilog -noattr netlist.v",
  ]);
  return build(folder, harness, ["netlist.v"], ["-Wno-lint", "-Wno-fatal"]);
}

/** Files and defines with which a bench has primitives of the device, of models of our own, as synthesis does. */
export const primitives = ["-DSYNTHESIS", "-Wno-fatal", join(hardwareFolder, "tb", "dsp48e2.sv")];

/** Runs Yosys commands; returns what it prints. */
export function yosys(folder: string, commands: readonly string[]): string {
  return run(folder, "yosys", ["-p", commands.join("; ")]);
}

export function hexOf(value: bigint, bits: number): string {
  return BigInt.asUintN(bits, value)
    .toString(16)
    .padStart(Math.ceil(bits / 4), "0");
}

/** Cells by kind that Yosys needs for a top of some ports, on a 7-series device. */
export function synthesizeCells(
  folder: string,
  top: { ports: string; body: string; files: readonly string[] },
): Map<string, number> {
  writeFileSync(join(folder, "top.sv"), `module top (${top.ports});\n${top.body}\nendmodule\n`);
  yosys(folder, [
    `read_verilog -sv top.sv ${top.files.join(" ")}`,
    "synth_xilinx -flatten -noiopad -noclkbuf -top top",
    "tee -q -o cells.txt stat",
  ]);
  const cells = readFileSync(join(folder, "cells.txt"), "utf8").matchAll(
    /^ {5}([A-Z]\w*) +(\d+)$/gm,
  );
  return new Map([...cells].map(([, kind, count]): [string, number] => [kind, Number(count)]));
}
