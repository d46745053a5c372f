import { describe, expect, it } from "vitest";
import { layOutPorts, type Manifest } from "../../../src/artifact/index.ts";
import { makeFormat } from "../../../src/fixed/index.ts";
import { checkPackets, padPackets, trimPackets } from "../../../src/runtime/index.ts";
import { checkSimulateOptions } from "../../../src/runtime/simulated-kernel.ts";
import { problemOf } from "../../support/problem.ts";

const precision = {
  format: makeFormat(true, 8, 0),
  rounding: "RND",
  overflow: "SAT",
} as const;
const ports = layOutPorts([
  { name: "a", shape: [2], dtype: "float", precision },
  { name: "b", shape: [1], dtype: "float", precision },
]);

describe("padPackets and trimPackets", () => {
  it("fill the last beat with zeros, and take them away", () => {
    const stream = { beats: 2, beatBytes: 2 };
    const packets = Uint8Array.of(1, 2, 3, 4, 5, 6);
    const padded = padPackets(packets, 2, ports, stream);
    expect(padded).toEqual(Uint8Array.of(1, 2, 3, 0, 4, 5, 6, 0));
    expect(trimPackets(padded, 2, ports, stream)).toEqual(packets);
    expect(padPackets(new Uint8Array(), 0, ports, stream)).toEqual(new Uint8Array());
  });

  it("copy nothing where packets fill their beats", () => {
    const packets = Uint8Array.of(1, 2, 3);
    const stream = { beats: 3, beatBytes: 1 };
    expect(padPackets(packets, 1, ports, stream)).toBe(packets);
    expect(trimPackets(packets, 1, ports, stream)).toBe(packets);
  });
});

describe("checkPackets", () => {
  it("wants as many bytes as the packets have", () => {
    const manifest = { name: "net", inputs: ports } as unknown as Manifest;
    checkPackets(manifest, new Uint8Array(6), 2);
    expect(problemOf(() => checkPackets(manifest, new Uint8Array(7), 2))).toMatchObject({
      code: "N2F_DATA_SHAPE",
      message: "7 bytes were given for 2 inferences of 3",
      at: "net",
    });
  });
});

describe("checkSimulateOptions", () => {
  const calm = { stallInPercent: 0, stallOutPercent: 0, seed: 0 };

  it("takes stalls below 100 percent and any 31-bit seed", () => {
    checkSimulateOptions(calm);
    checkSimulateOptions({ stallInPercent: 99, stallOutPercent: 99, seed: 2 ** 31 - 1 });
  });

  it.each([
    { ...calm, stallInPercent: 100 },
    { ...calm, stallOutPercent: -1 },
    { ...calm, stallOutPercent: 0.5 },
    { ...calm, seed: 2 ** 31 },
    { ...calm, seed: -1 },
    { ...calm, seed: Number.NaN },
  ])("refuses %j", (options) => {
    expect(problemOf(() => checkSimulateOptions(options))?.code).toBe("N2F_OPTION_INVALID");
  });
});
