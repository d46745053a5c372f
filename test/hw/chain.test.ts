import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import { requantize as requantizeCode } from "../../src/fixed/index.ts";
import {
  axisPack,
  axisUnpack,
  matvec,
  matvecMemories,
  packWord,
  requantize,
  requantizeParameters,
} from "../../src/hwlib/index.ts";
import {
  buildStreamBench,
  instance,
  rtlFiles,
  type StreamBench,
  type StreamLane,
  temporaryFolder,
  tools,
} from "../support/hw.ts";

/** Small networks as a top would wire them: beats, layers with a requantization each, beats. */
interface NetworkShape {
  readonly name: string;
  readonly beatsIn: number;
  readonly beatsOut: number;
  /** K_STEPS, SIMD, N_STEPS, PE */
  readonly layers: readonly (readonly [number, number, number, number])[];
}

const shapes: NetworkShape[] = [
  {
    name: "slow first",
    beatsIn: 2,
    beatsOut: 3,
    layers: [
      [3, 2, 2, 2],
      [1, 4, 3, 1],
    ],
  },
  {
    name: "slow last",
    beatsIn: 1,
    beatsOut: 1,
    layers: [
      [1, 6, 1, 4],
      [4, 1, 3, 1],
    ],
  },
  {
    name: "slow in",
    beatsIn: 6,
    beatsOut: 1,
    layers: [
      [1, 6, 1, 4],
      [1, 4, 1, 2],
    ],
  },
  {
    name: "slow out",
    beatsIn: 1,
    beatsOut: 8,
    layers: [
      [1, 6, 2, 4],
      [2, 4, 2, 4],
    ],
  },
  {
    name: "all at once",
    beatsIn: 1,
    beatsOut: 1,
    layers: [
      [1, 9, 1, 3],
      [1, 3, 1, 3],
      [1, 3, 1, 1],
    ],
  },
];

const seed = 41;
const packets = 50;
const codeBits = 8;

interface Network {
  readonly lane: StreamLane;
  readonly inputs: bigint[];
  readonly outputs: bigint[];
  readonly beatsOut: number;
  readonly latency: number;
  readonly interval: number;
}

/** A vector as beats of [tlast, tdata]. */
function toBeats(codes: readonly bigint[], beats: number): bigint[] {
  const perBeat = codes.length / beats;
  return Array.from({ length: beats }, (_, beat) => {
    const data = packWord(codes.slice(beat * perBeat, (beat + 1) * perBeat), codeBits);
    return data | ((beat === beats - 1 ? 1n : 0n) << BigInt(perBeat * codeBits));
  });
}

function makeNetwork(folder: string, shape: NetworkShape, index: number): Network {
  const random = new Random(seed + index);
  const draw = (count: number, low: bigint, high: bigint) =>
    Array.from({ length: count }, () => random.bigintBetween(low, high));

  const [kSteps, simd] = shape.layers[0];
  const inLength = kSteps * simd;
  const unpack = { BEATS: shape.beatsIn, BEAT_W: (inLength / shape.beatsIn) * codeBits };
  let values = Array.from({ length: packets }, () => draw(inLength, -128n, 127n));
  const inputs = values.flatMap((codes) => toBeats(codes, shape.beatsIn));
  let latency = axisUnpack.latencyCycles(unpack);
  let interval = axisUnpack.intervalCycles(unpack);
  const body = [
    `logic x0_valid, x0_ready; logic [${inLength * codeBits - 1}:0] x0_data;`,
    instance(
      axisUnpack,
      unpack,
      {
        s_axis_tvalid: "s_valid",
        s_axis_tready: "s_ready",
        s_axis_tdata: `s_data[0+:${unpack.BEAT_W}]`,
        s_axis_tlast: `s_data[${unpack.BEAT_W}]`,
        m_valid: "x0_valid",
        m_ready: "x0_ready",
        m_data: "x0_data",
        packet_error: "flag",
      },
      "unpack",
    ),
  ];

  shape.layers.forEach(([K_STEPS, SIMD, N_STEPS, PE], i) => {
    const isLast = i === shape.layers.length - 1;
    const params = {
      ...{ ROWS: 1, K_STEPS, SIMD, N_STEPS, PE },
      ...{ X_W: codeBits, X_SIGNED: i === 0, W_W: 6, ACC_W: 18, PASS_W: 1 },
      ...{ WEIGHTS: `weights${index}_${i}.hex`, BIAS: `bias${index}_${i}.hex` },
    };
    const weights = Array.from({ length: N_STEPS * PE }, () => draw(K_STEPS * SIMD, -32n, 31n));
    const bias = draw(N_STEPS * PE, -500n, 500n);
    const memories = matvecMemories(params, weights, bias);
    writeFileSync(join(folder, params.WEIGHTS), memories.weights);
    writeFileSync(join(folder, params.BIAS), memories.bias);
    latency += matvec.latencyCycles(params);
    interval = Math.max(interval, matvec.intervalCycles(params));

    // Rectified by the unsigned range, except at the end.
    const from = { signed: true, width: params.ACC_W, frac: 5 };
    const to = { signed: isLast, width: codeBits, frac: 0 };
    values = values.map((x) =>
      weights.map((row, n) => {
        const sum = row.reduce((total, weight, k) => total + weight * x[k], bias[n]);
        return requantizeCode(sum, from.frac, to, "RND_CONV", "SAT");
      }),
    );

    const next = `x${i + 1}`;
    body.push(
      `logic ${next}_valid, ${next}_ready, unused_pass_${i};`,
      `logic [${weights.length * codeBits - 1}:0] ${next}_data;`,
      `logic [${weights.length * params.ACC_W - 1}:0] y${i}_data;`,
      instance(
        matvec,
        params,
        {
          s_valid: `x${i}_valid`,
          s_ready: `x${i}_ready`,
          s_data: `x${i}_data`,
          s_pass: "1'b0",
          m_valid: `${next}_valid`,
          m_ready: `${next}_ready`,
          m_data: `y${i}_data`,
          m_pass: `unused_pass_${i}`,
        },
        `layer${i}`,
      ),
      ...weights.map((_, n) =>
        instance(
          requantize,
          requantizeParameters(from, to, "RND_CONV", "SAT"),
          {
            x: `y${i}_data[${n * params.ACC_W}+:${params.ACC_W}]`,
            y: `${next}_data[${n * codeBits}+:${codeBits}]`,
          },
          `round${i}_${n}`,
        ),
      ),
    );
  });

  const pack = { BEATS: shape.beatsOut, BEAT_W: (values[0].length / shape.beatsOut) * codeBits };
  const result = `x${shape.layers.length}`;
  body.push(
    instance(
      axisPack,
      pack,
      {
        s_valid: `${result}_valid`,
        s_ready: `${result}_ready`,
        s_data: `${result}_data`,
        m_axis_tvalid: "m_valid",
        m_axis_tready: "m_ready",
        m_axis_tdata: `m_data[0+:${pack.BEAT_W}]`,
        m_axis_tlast: `m_data[${pack.BEAT_W}]`,
      },
      "pack",
    ),
  );
  return {
    lane: {
      name: shape.name,
      sBits: unpack.BEAT_W + 1,
      mBits: pack.BEAT_W + 1,
      hasFlag: true,
      body: body.join("\n"),
    },
    inputs,
    outputs: values.flatMap((codes) => toBeats(codes, shape.beatsOut)),
    beatsOut: shape.beatsOut,
    latency: latency + axisPack.latencyCycles(pack),
    interval: Math.max(interval, axisPack.intervalCycles(pack)),
  };
}

describe.skipIf(!tools.verilator)(`modules in a row under Verilator, seed ${seed}`, () => {
  const folder = temporaryFolder();
  let networks: Network[];
  let bench: StreamBench;
  beforeAll(() => {
    networks = shapes.map((shape, i) => makeNetwork(folder.path, shape, i));
    const files = rtlFiles(axisUnpack, matvec, requantize, axisPack);
    bench = buildStreamBench(
      folder.path,
      networks.map((network) => network.lane),
      files,
    );
  });

  function check(pauseIn: number, pauseOut: number, shyOut = false) {
    const results = bench.run(
      networks.map(({ inputs }) => inputs),
      networks.map(({ outputs }) => outputs.length),
      { seed, pauseIn, pauseOut, shyOut },
    );
    results.forEach(({ violations, flag, delivered }, i) => {
      const { lane, outputs } = networks[i];
      const data = delivered.map((beat) => beat.data);
      expect({ name: lane.name, violations, flag, data }).toEqual({
        name: lane.name,
        violations: [],
        flag: false,
        data: outputs,
      });
    });
    return results;
  }

  it("add up their latencies, and have the interval of the slowest", () => {
    check(0, 0).forEach(({ accepted, delivered }, i) => {
      const { lane, beatsOut, latency, interval } = networks[i];
      const ends = delivered
        .filter((_, beat) => beat % beatsOut === beatsOut - 1)
        .map(({ cycle }) => cycle);
      expect({ name: lane.name, ends }).toEqual({
        name: lane.name,
        ends: ends.map((_, p) => accepted[0] + latency + p * interval),
      });
    });
  });

  it.each([
    [70, 0],
    [0, 90],
    [60, 60],
  ])("lose nothing under pauses of %i and %i percent", (pauseIn, pauseOut) => {
    check(pauseIn, pauseOut);
  });

  it("wait for nobody's ready", () => {
    check(30, 30, true);
  });
});
