/**
 * Benches for stream modules: many instances in one Verilated top, random pauses on every port, and two
 * questions to each: are the data the expected ones, and are the handshakes of every cycle those of its
 * cycle model?
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { Random } from "../../src/base/index.ts";
import type { StreamModule } from "../../src/hwlib/index.ts";
import {
  checkParameters,
  type ParameterSpecs,
  type ParameterValues,
} from "../../src/hwlib/index.ts";
import { buildTop, hexOf, instance, rtlFiles, run, type Traffic, wideWords } from "./hw.ts";

/** A port: what goes in, or what is expected to come out. */
export interface FlowPort {
  readonly bits: number;
  readonly beats: readonly bigint[];
}

export interface FlowCase {
  readonly module: StreamModule;
  readonly params: ParameterValues<ParameterSpecs>;
  readonly inputs: readonly FlowPort[];
  readonly outputs: readonly FlowPort[];
  /** How its ports connect to `s_valid`, `s_ready`, `m_valid`, `m_ready` (a bit a port) and `s_data`, `m_data` (side by side). */
  readonly connections?: Readonly<Record<string, string>>;
  /** Memory files, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Text beside the instance. */
  readonly body?: string;
  /** Beats taken that make no beat any more (cycle models go on, so they are compared nevertheless). */
  readonly name?: string;
}

/** A case; keeps the types of module and parameters together, and checks them. */
export function flowCase<S extends ParameterSpecs>(
  module: StreamModule<S>,
  params: ParameterValues<S>,
  rest: Omit<FlowCase, "module" | "params">,
): FlowCase {
  checkParameters(module, params);
  expect(module.constraint?.(params)).toBeUndefined();
  return { module: module as unknown as StreamModule, params, ...rest };
}

export interface FlowResult {
  /** Of each cycle: inputs offered, outputs ready, inputs taken, outputs given. */
  readonly trace: readonly (readonly [number, number, number, number])[];
  /** Beats of each output. */
  readonly given: readonly (readonly bigint[])[];
  readonly violations: readonly string[];
  readonly flag: boolean;
}

export interface FlowBench {
  run(traffic: Traffic): FlowResult[];
}

export function buildFlowBench(
  folder: string,
  cases: readonly FlowCase[],
  options: { throughYosys?: boolean } = {},
): FlowBench {
  for (const { files = {} } of cases) {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  }
  const ins = places(cases.map(({ inputs }) => inputs));
  const outs = places(cases.map(({ outputs }) => outputs));
  const flags = wideWords(cases.length) * 32;
  const inFlags = wideWords(ins.ports.length) * 32;
  const outFlags = wideWords(outs.ports.length) * 32;
  const blocks = cases.map((flow, i) => {
    const { module, params, inputs, outputs, connections = {}, body = "" } = flow;
    const lines: string[] = [];
    const NI = inputs.length;
    const NO = outputs.length;
    lines.push(`if (1) begin : dut_${i}`, `  logic flag;`);
    lines.push(
      `  logic [${NI - 1}:0] s_valid, s_ready;`,
      `  logic [${NO - 1}:0] m_valid, m_ready;`,
    );
    lines.push(`  logic [${sum(inputs) - 1}:0] s_data;`, `  logic [${sum(outputs) - 1}:0] m_data;`);
    let bit = 0;
    for (const port of ins.ports.filter(({ dut }) => dut === i)) {
      lines.push(`  assign s_valid[${port.bit}] = all_s_valid[${port.index}];`);
      lines.push(`  assign all_s_ready[${port.index}] = s_ready[${port.bit}];`);
      lines.push(
        `  assign s_data[${bit}+:${port.bits}] = all_s_data[${port.word * 32}+:${port.bits}];`,
      );
      bit += port.bits;
    }
    bit = 0;
    for (const port of outs.ports.filter(({ dut }) => dut === i)) {
      lines.push(`  assign all_m_valid[${port.index}] = m_valid[${port.bit}];`);
      lines.push(`  assign m_ready[${port.bit}] = all_m_ready[${port.index}];`);
      const width = port.words * 32;
      lines.push(
        `  assign all_m_data[${port.word * 32}+:${width}] = ${width}'(m_data[${bit}+:${port.bits}]);`,
      );
      bit += port.bits;
    }
    lines.push(`  assign all_flag[${i}] = flag;`);
    if (!Object.values(connections).includes("flag")) lines.push("  assign flag = 1'b0;");
    lines.push(body, instance(module, params, connections), "end");
    return lines.join("\n");
  });
  const rest = (name: string, width: number, used: number) =>
    width > used ? `assign ${name}[${width - 1}:${used}] = '0;\n` : "";
  const top = `module bench (
    input  wire logic clk,
    input  wire logic rst,
    input  wire logic [${inFlags - 1}:0] all_s_valid,
    output      logic [${inFlags - 1}:0] all_s_ready,
    input  wire logic [${ins.words * 32 - 1}:0] all_s_data,
    output      logic [${outFlags - 1}:0] all_m_valid,
    input  wire logic [${outFlags - 1}:0] all_m_ready,
    output      logic [${outs.words * 32 - 1}:0] all_m_data,
    output      logic [${flags - 1}:0] all_flag
);
${rest("all_s_ready", inFlags, ins.ports.length)}${rest("all_m_valid", outFlags, outs.ports.length)}${rest(
  "all_flag",
  flags,
  cases.length,
)}${rest("all_m_data", outs.words * 32, outs.used * 32)}${blocks.join("\n")}
logic unused;
assign unused = &{1'b0, clk, rst, all_s_valid, all_s_data, all_m_ready};
endmodule
`;
  writeFileSync(join(folder, "bench.sv"), top);
  const files = rtlFiles(...new Set(cases.map(({ module }) => module)));
  const program = buildTop(folder, "flow_bench.cpp", files, options.throughYosys ?? false);
  return {
    run({ seed, pauseIn, pauseOut, shyOut = false }) {
      const lines = [
        `duts ${cases.length} inputs ${ins.ports.length} outputs ${outs.ports.length}`,
      ];
      for (const { dut, bit, word, words, bits, beats } of ins.ports) {
        lines.push(
          `${dut} ${bit} ${word} ${words} ${beats.length}`,
          ...beats.map((beat) => hexOf(beat, bits)),
        );
      }
      for (const { dut, bit, word, words, beats } of outs.ports) {
        lines.push(`${dut} ${bit} ${word} ${words} ${beats.length}`);
      }
      writeFileSync(join(folder, "in.txt"), `${lines.join("\n")}\n`);
      const numbers = [seed, pauseIn, pauseOut, Number(shyOut)].map(String);
      run(folder, program, ["in.txt", "out.txt", ...numbers]);
      return readFileSync(join(folder, "out.txt"), "utf8")
        .split(/^dut \d+\n/m)
        .slice(1)
        .map((log, i) => readLog(log, cases[i].outputs.length));
    },
  };
}

function sum(ports: readonly FlowPort[]): number {
  return ports.reduce((total, { bits }) => total + bits, 0);
}

function places(duts: readonly (readonly FlowPort[])[]) {
  let used = 0;
  const ports = duts
    .flatMap((list, dut) => list.map((port, bit) => ({ ...port, dut, bit })))
    .map((port, index) => {
      const words = Math.ceil(port.bits / 32);
      used += words;
      return { ...port, index, words, word: used - words };
    });
  return { ports, used, words: Math.max(3, used) };
}

function readLog(log: string, outputs: number): FlowResult {
  const trace: [number, number, number, number][] = [];
  const given: bigint[][] = Array.from({ length: outputs }, () => []);
  const violations: string[] = [];
  let flag = false;
  for (const line of log.trimEnd().split("\n")) {
    const kind = line[0];
    if (kind === "t") {
      for (const cycle of line.slice(2).split(" ")) {
        const [a, b, c, d] = cycle.split(".").map((mask) => Number.parseInt(mask, 16));
        trace.push([a, b, c, d]);
      }
    } else if (kind === "o") {
      const [, bit, hex] = line.split(" ");
      given[Number(bit)].push(BigInt(`0x${hex}`));
    } else if (kind === "v") violations.push(line.slice(2));
    else flag = line === "f 1";
  }
  return { trace, given, violations, flag };
}

export function nameOf({ module, params, name }: FlowCase): string {
  const values = Object.entries(params).map(([key, value]) => `${key}=${value}`);
  return `${name ?? module.name} ${values.join(" ")}`;
}

/** Runs all cases and checks data, the rules of the handshake, and every cycle. */
export function checkFlow(
  bench: FlowBench,
  cases: readonly FlowCase[],
  traffic: Traffic,
): FlowResult[] {
  const results = bench.run(traffic);
  expect(results.length).toBe(cases.length);
  results.forEach((result, i) => {
    const flow = cases[i];
    const name = nameOf(flow);
    expect({ name, violations: result.violations }).toEqual({ name, violations: [] });
    flow.outputs.forEach(({ bits, beats }, port) => {
      const wanted = beats.map((beat) => BigInt.asUintN(bits, beat));
      expect({ name, port, beats: result.given[port] }).toEqual({ name, port, beats: wanted });
    });
    const model = flow.module.cycleModel(flow.params);
    model.reset();
    const keys = new Set<string>();
    for (const [cycle, [offered, ready, taken, given]] of result.trace.entries()) {
      keys.add(model.stateKey());
      const moved = model.step(offered, ready);
      if (moved !== (taken | (given << 16))) {
        const predicted = { name, cycle, taken: moved & 0xffff, given: moved >>> 16 };
        expect(predicted).toEqual({ name, cycle, taken, given });
      }
    }
    expect(keys.size).toBeGreaterThan(0);
  });
  return results;
}

/** The traffic that every module must stand. */
export const traffics: readonly Traffic[] = [
  { seed: 1, pauseIn: 0, pauseOut: 0 },
  { seed: 2, pauseIn: 95, pauseOut: 0 },
  { seed: 3, pauseIn: 0, pauseOut: 95 },
  { seed: 4, pauseIn: 60, pauseOut: 60 },
  { seed: 5, pauseIn: 20, pauseOut: 98 },
  { seed: 6, pauseIn: 50, pauseOut: 50, shyOut: true },
];

/** Random bits. */
export function randomBits(random: Random, count: number): bigint {
  let value = 0n;
  for (let i = 0; i < count; i += 32) value = (value << 32n) | BigInt(random.uint32());
  return BigInt.asUintN(count, value);
}

/** A random number of some bits, often at the ends of its range. */
export function randomCode(random: Random, bits: number, signed: boolean): bigint {
  const kind = random.below(8);
  const lowest = signed ? -(1n << BigInt(bits - 1)) : 0n;
  if (kind === 0) return lowest;
  if (kind === 1) return lowest + (1n << BigInt(bits)) - 1n;
  return lowest + randomBits(random, bits);
}
