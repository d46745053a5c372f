import { beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import { axisPack, axisUnpack, packWord, pipeValid } from "../../src/hwlib/index.ts";
import {
  buildStreamBench,
  instance,
  rtlFiles,
  type StreamBench,
  type StreamLane,
  type StreamResult,
  type Traffic,
  temporaryFolder,
  tools,
} from "../support/hw.ts";

const seed = 31;
const packets = 60;

interface Stream {
  readonly lane: StreamLane;
  readonly beatsIn: number;
  readonly beatsOut: number;
  readonly latency: number;
  readonly interval: number;
  readonly inputs: bigint[];
  readonly outputs: bigint[];
  readonly flag: boolean;
}

const random = new Random(seed);

function drawBeats(beats: number, width: number): bigint[] {
  return Array.from({ length: beats }, () => {
    const word = random.bigintBetween(0n, (1n << BigInt(Math.min(width, 60))) - 1n);
    return width > 60 ? (word << BigInt(width - 60)) | BigInt(random.below(2)) : word;
  });
}

/** Beats are [tlast, tdata]; `spoil` moves one tlast. */
function unpackStream(BEATS: number, BEAT_W: number, spoil?: "early" | "missing"): Stream {
  const params = { BEATS, BEAT_W };
  const inputs: bigint[] = [];
  const outputs: bigint[] = [];
  for (let p = 0; p < packets; p++) {
    const beats = drawBeats(BEATS, BEAT_W);
    outputs.push(packWord(beats, BEAT_W));
    beats.forEach((beat, i) => {
      let last = i === BEATS - 1;
      if (p === packets - 1 && spoil === "early" && i === 0) last = true;
      if (p === packets - 1 && spoil === "missing") last = false;
      inputs.push(((last ? 1n : 0n) << BigInt(BEAT_W)) | beat);
    });
  }
  return {
    lane: {
      name: `n2f_axis_unpack BEATS=${BEATS} BEAT_W=${BEAT_W} ${spoil ?? ""}`,
      sBits: BEAT_W + 1,
      mBits: BEATS * BEAT_W,
      hasFlag: true,
      body: instance(axisUnpack, params, {
        s_axis_tvalid: "s_valid",
        s_axis_tready: "s_ready",
        s_axis_tdata: `s_data[0+:${BEAT_W}]`,
        s_axis_tlast: `s_data[${BEAT_W}]`,
        packet_error: "flag",
      }),
    },
    beatsIn: BEATS,
    beatsOut: 1,
    latency: axisUnpack.latencyCycles(params),
    interval: axisUnpack.intervalCycles(params),
    inputs,
    outputs,
    flag: spoil !== undefined,
  };
}

/** Beats are [tlast, tdata]. */
function packStream(BEATS: number, BEAT_W: number): Stream {
  const params = { BEATS, BEAT_W };
  const inputs: bigint[] = [];
  const outputs: bigint[] = [];
  for (let p = 0; p < packets; p++) {
    const beats = drawBeats(BEATS, BEAT_W);
    inputs.push(packWord(beats, BEAT_W));
    beats.forEach((beat, i) => {
      outputs.push(((i === BEATS - 1 ? 1n : 0n) << BigInt(BEAT_W)) | beat);
    });
  }
  return {
    lane: {
      name: `n2f_axis_pack BEATS=${BEATS} BEAT_W=${BEAT_W}`,
      sBits: BEATS * BEAT_W,
      mBits: BEAT_W + 1,
      body: instance(axisPack, params, {
        m_axis_tvalid: "m_valid",
        m_axis_tready: "m_ready",
        m_axis_tdata: `m_data[0+:${BEAT_W}]`,
        m_axis_tlast: `m_data[${BEAT_W}]`,
      }),
    },
    beatsIn: 1,
    beatsOut: BEATS,
    latency: axisPack.latencyCycles(params),
    interval: axisPack.intervalCycles(params),
    inputs,
    outputs,
    flag: false,
  };
}

/** A pipeline whose data registers stand beside the module. */
function pipeStream(STAGES: number): Stream {
  const params = { STAGES };
  const inputs = drawBeats(packets, 8);
  return {
    lane: {
      name: `n2f_pipe_valid STAGES=${STAGES}`,
      sBits: 8,
      mBits: 8,
      body: [
        "logic en;",
        `logic [${STAGES * 8 - 1}:0] data_q;`,
        `always_ff @(posedge clk) if (en) data_q <= ${STAGES * 8}'({data_q, s_data});`,
        `assign m_data = data_q[${STAGES * 8 - 8}+:8];`,
        instance(pipeValid, params),
      ].join("\n"),
    },
    beatsIn: 1,
    beatsOut: 1,
    latency: pipeValid.latencyCycles(params),
    interval: pipeValid.intervalCycles(params),
    inputs,
    outputs: inputs,
    flag: false,
  };
}

const streams: Stream[] = [
  unpackStream(1, 8),
  unpackStream(2, 5),
  unpackStream(3, 64),
  unpackStream(8, 1),
  unpackStream(17, 13),
  unpackStream(1, 3, "missing"),
  unpackStream(4, 8, "early"),
  unpackStream(5, 8, "missing"),
  packStream(1, 8),
  packStream(2, 5),
  packStream(3, 64),
  packStream(8, 1),
  packStream(17, 13),
  pipeStream(1),
  pipeStream(2),
  pipeStream(7),
];

describe.skipIf(!tools.verilator)(`stream modules under Verilator, seed ${seed}`, () => {
  const folder = temporaryFolder();
  let bench: StreamBench;
  beforeAll(() => {
    bench = buildStreamBench(
      folder.path,
      streams.map((stream) => stream.lane),
      rtlFiles(axisUnpack, axisPack, pipeValid),
    );
  });

  function check(traffic: Traffic): StreamResult[] {
    const results = bench.run(
      streams.map((stream) => stream.inputs),
      streams.map((stream) => stream.outputs.length),
      traffic,
    );
    results.forEach(({ delivered, violations, flag }, i) => {
      const { lane, outputs, flag: expectedFlag } = streams[i];
      expect({ name: lane.name, violations, flag }).toEqual({
        name: lane.name,
        violations: [],
        flag: expectedFlag,
      });
      expect({ name: lane.name, data: delivered.map(({ data }) => data) }).toEqual({
        name: lane.name,
        data: outputs,
      });
    });
    return results;
  }

  it("have the latency and the interval of their twins", () => {
    check({ seed: 1, pauseIn: 0, pauseOut: 0 }).forEach(({ accepted, delivered }, i) => {
      const { lane, beatsIn, beatsOut, latency, interval } = streams[i];
      const firstIn = accepted.filter((_, beat) => beat % beatsIn === 0);
      const lastOut = delivered
        .map(({ cycle }) => cycle)
        .filter((_, beat) => beat % beatsOut === beatsOut - 1);
      expect({ name: lane.name, firstIn, lastOut }).toEqual({
        name: lane.name,
        firstIn: firstIn.map((_, p) => p * interval),
        lastOut: firstIn.map((_, p) => p * interval + latency),
      });
      // Nothing is late inside a packet either.
      expect(accepted).toHaveLength(packets * beatsIn);
      expect(delivered.at(-1)?.cycle).toBe((packets - 1) * interval + latency);
    });
  });

  it("hand the first beat of a packet on at once", () => {
    check({ seed: 2, pauseIn: 0, pauseOut: 0 }).forEach(({ accepted, delivered }, i) => {
      if (!streams[i].lane.name.startsWith("n2f_axis_pack")) return;
      const { beatsOut } = streams[i];
      expect(
        delivered.filter((_, beat) => beat % beatsOut === 0).map(({ cycle }) => cycle),
      ).toEqual(accepted);
    });
  });

  it.each([
    { seed: 3, pauseIn: 90, pauseOut: 0 },
    { seed: 4, pauseIn: 0, pauseOut: 90 },
    { seed: 5, pauseIn: 60, pauseOut: 60 },
    { seed: 6, pauseIn: 97, pauseOut: 97 },
    { seed: 7, pauseIn: 0, pauseOut: 0, shyOut: true },
    { seed: 8, pauseIn: 50, pauseOut: 50, shyOut: true },
  ])("lose nothing under pauses: %o", (traffic) => {
    check(traffic);
  });
});
