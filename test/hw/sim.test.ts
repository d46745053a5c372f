import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Nn2fpgaError, Random } from "../../src/base/index.ts";
import {
  createIcarusDevice,
  createRtlDevice,
  type SimulatedKernel,
  type SimulatorOptions,
} from "../../src/runtime/index.ts";
import { temporaryFolder, tools } from "../support/hw.ts";
import {
  answerOf,
  type Fault,
  packetsUntilStop,
  pipelineDepth,
  type SimDesign,
  simBundle,
} from "../support/sim-design.ts";

const calm = { stallInPercent: 0, stallOutPercent: 0, seed: 1 };
const rough = { stallInPercent: 40, stallOutPercent: 55, seed: 7 };

/** Every type that Verilator gives a port, packets of one beat and more, with padding and without. */
const designs: readonly SimDesign[] = [
  { beats: 1, beatBytes: 1, packetBytes: 1, fault: "none" },
  { beats: 2, beatBytes: 2, packetBytes: 4, fault: "none" },
  { beats: 1, beatBytes: 4, packetBytes: 4, fault: "none" },
  { beats: 3, beatBytes: 5, packetBytes: 13, fault: "none" },
  { beats: 2, beatBytes: 8, packetBytes: 15, fault: "none" },
  { beats: 1, beatBytes: 75, packetBytes: 75, fault: "none" },
];

const faults: Readonly<Record<Exclude<Fault, "none">, RegExp>> = {
  "drops valid": /^tvalid fell before/,
  "changes data": /^tdata or tlast changed/,
  "no tlast": /^tlast came at the wrong beat/,
  stops: new RegExp(
    `got stuck: ${packetsUntilStop} of 40 packets went in and ${packetsUntilStop} came out`,
  ),
  "answers twice": /^more came out than had gone in/,
  "answers first": /^more came out than had gone in/,
};

const simulators = {
  Verilator: { isThere: tools.verilator, create: createRtlDevice, packets: 300 },
  Icarus: { isThere: tools.icarus, create: createIcarusDevice, packets: 60 },
};

const folder = temporaryFolder();
const cacheBefore = process.env["N2F_CACHE"];
beforeAll(() => {
  process.env["N2F_CACHE"] = `${folder.path}/cache`;
});
afterAll(() => {
  if (cacheBefore === undefined) delete process.env["N2F_CACHE"];
  else process.env["N2F_CACHE"] = cacheBefore;
});

function draw(bytes: number, seed: number): Uint8Array {
  const random = new Random(seed);
  return Uint8Array.from({ length: bytes }, () => random.below(256));
}

function nameOf({ beats, beatBytes, packetBytes }: SimDesign): string {
  return `${packetBytes} bytes in ${beats} beats of ${beatBytes}`;
}

for (const [name, { isThere, create, packets: count }] of Object.entries(simulators)) {
  describe.skipIf(!isThere)(name, () => {
    const open = async (
      design: SimDesign,
      options: SimulatorOptions = {},
      replace: Record<string, string> = {},
    ): Promise<SimulatedKernel> => {
      const device = create(options);
      return device.load(simBundle(folder.path, design, replace));
    };

    it.each(designs.map((design) => [nameOf(design), design] as const))(
      "answers and counts cycles: %s",
      async (_, design) => {
        const kernel = await open(design);
        const packets = draw(design.packetBytes * count, 3);
        const expected = answerOf(design, packets, count);

        const free = await kernel.simulate(packets, count, calm);
        expect(free.violations).toEqual([]);
        expect(Buffer.from(free.outputs).equals(expected)).toBe(true);
        const starts = Array.from({ length: count }, (_, i) => i * design.beats);
        expect(free.inputCycles).toEqual(starts);
        const latency = pipelineDepth + design.beats - 1;
        expect(free.outputCycles).toEqual(starts.map((start) => start + latency));

        const stalled = await kernel.simulate(packets, count, rough);
        expect(stalled.violations).toEqual([]);
        expect(Buffer.from(stalled.outputs).equals(expected)).toBe(true);
        expect(stalled.outputCycles[count - 1]).toBeGreaterThan(1.5 * free.outputCycles[count - 1]);

        // Every request begins anew, and the stalls are the seed's alone.
        expect(await kernel.simulate(packets, count, rough)).toEqual(stalled);
        const others = await kernel.simulate(packets, count, { ...rough, seed: 8 });
        expect(others.outputCycles).not.toEqual(stalled.outputCycles);
        expect(await kernel.run(packets, count)).toEqual(free.outputs);
        expect((await kernel.run(new Uint8Array(), 0)).length).toBe(0);
        await kernel.close();
      },
    );

    it.each(Object.entries(faults))("sees a kernel that %s", async (fault, expected) => {
      const design = { beats: 2, beatBytes: 3, packetBytes: 6, fault: fault as Fault };
      const kernel = await open(design);
      const { violations } = await kernel.simulate(draw(6 * 40, 5), 40, rough);
      expect(violations).toContainEqual(expect.stringMatching(expected));
      await kernel.close();
    });

    it("gives the answers up to where the kernel stopped, and refuses to call that a run", async () => {
      const design: SimDesign = { beats: 2, beatBytes: 3, packetBytes: 6, fault: "stops" };
      const kernel = await open(design);
      const packets = draw(6 * 40, 5);
      const { outputs, inputCycles, outputCycles } = await kernel.simulate(packets, 40, rough);
      expect(outputs).toEqual(answerOf(design, packets, packetsUntilStop));
      expect([inputCycles.length, outputCycles.length]).toEqual([
        packetsUntilStop,
        packetsUntilStop,
      ]);
      await expect(kernel.run(packets, 40)).rejects.toThrow(/N2F_SIMULATION_FAILED.*got stuck/);
      await kernel.close();
    });

    it("takes a model that was built before from the cache", async () => {
      const steps: string[] = [];
      const kernel = await open(designs[0], { onProgress: (step) => steps.push(step) });
      expect(steps).toEqual([]);
      await kernel.close();
    });

    it("says what is wrong with packets and options", async () => {
      const kernel = await open(designs[0]);
      await expect(kernel.run(new Uint8Array(3), 2)).rejects.toThrow(/N2F_DATA_SHAPE: 3 bytes/);
      const always = { ...calm, stallInPercent: 100 };
      await expect(kernel.simulate(new Uint8Array(1), 1, always)).rejects.toThrow(
        /N2F_OPTION_INVALID.*100 percent/,
      );
      await kernel.close();
    });

    it("hands on the words of a tool that refuses the Verilog, and keeps nothing of it", async () => {
      const steps: string[] = [];
      const before = readdirSync(`${folder.path}/cache`);
      const broken = open(
        designs[0],
        { onProgress: (step) => steps.push(step) },
        { "rtl/triple.sv": "module triple (input wire clk); wire w = ; endmodule\n" },
      );
      await expect(broken).rejects.toThrow(/N2F_TOOL_FAILED[\s\S]*syntax error/);
      expect(steps).not.toEqual([]);
      expect(readdirSync(`${folder.path}/cache`)).toEqual(before);
    });
  });
}

describe.skipIf(!tools.verilator)("the Verilated program", () => {
  it.each([
    ["ends", "int main() { return 3; }\n", /it ended with exit code 3/],
    [
      "speaks otherwise",
      '#include <cstdio>\nint main() { puts("good day to you, sir, what may it be?"); getchar(); }\n',
      /it answered nonsense/,
    ],
    [
      "aborts",
      '#include <cstdio>\n#include <cstdlib>\nint main() { fputs("no way", stderr); abort(); }\n',
      /it ended with SIGABRT[\s\S]*It said: no way/,
    ],
  ])("is not believed when it %s", async (_, program, expected) => {
    const bundle = simBundle(folder.path, designs[0], { "sim/main.cpp": program });
    const kernel = await createRtlDevice().load(bundle);
    const error = await kernel.run(new Uint8Array(2), 2).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(Nn2fpgaError);
    expect((error as Error).message).toMatch(/N2F_SIMULATION_FAILED/);
    expect((error as Error).message).toMatch(expected);
    await kernel.close();
  });

  it("costs little beside the kernel itself", async () => {
    const kernel = await createRtlDevice().load(simBundle(folder.path, designs[2]));
    const count = 400_000;
    const packets = new Uint8Array(4 * count);
    await kernel.run(packets.subarray(0, 4000), 1000);
    const started = process.hrtime.bigint();
    await kernel.run(packets, count);
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    // A million and more on an idle core; the bound leaves room for a busy one.
    expect(count / seconds).toBeGreaterThan(200_000);
    await kernel.close();
  });

  it("takes requests one after the other, from many callers", async () => {
    const kernel = await createRtlDevice().load(simBundle(folder.path, designs[3]));
    const packets = [1, 2, 3, 4].map((seed) => draw(13 * 50, seed));
    const answers = await Promise.all(packets.map((bytes) => kernel.run(bytes, 50)));
    answers.forEach((answer, i) => {
      expect(answer).toEqual(answerOf(designs[3], packets[i], 50));
    });
    await kernel.close();
  });
});
