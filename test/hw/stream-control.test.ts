/** The modules that move beats and compute nothing: data, handshakes, and every cycle against the models. */
import { beforeAll, describe, it } from "vitest";
import { Random } from "../../src/base/index.ts";
import {
  axisLanesIn,
  axisLanesOut,
  concat,
  fifo,
  fork,
  initCode,
  join,
  loop,
  memoryImage,
  packWord,
  pad,
  reorder,
  reorderMemory,
  slice,
  split,
  upsample,
  width,
} from "../../src/hwlib/index.ts";
import {
  buildFlowBench,
  checkFlow,
  type FlowBench,
  type FlowCase,
  flowCase,
  randomBits,
  traffics,
} from "../support/flow.ts";
import { temporaryFolder, tools } from "../support/hw.ts";

const seed = 20261124;
const random = new Random(seed);

function beats(count: number, bits: number): bigint[] {
  return Array.from({ length: count }, () => randomBits(random, bits));
}

function fifos(): FlowCase[] {
  const sizes: [number, number][] = [
    [2, 5],
    [3, 40],
    [4, 1],
    [5, 9],
    [16, 8],
    [33, 70],
    [64, 3],
  ];
  return sizes.flatMap(([DEPTH, WIDTH]) =>
    [0, 1].map((STYLE) => {
      const data = beats(300, WIDTH);
      const port = { bits: WIDTH, beats: data };
      return flowCase(fifo, { WIDTH, DEPTH, STYLE }, { inputs: [port], outputs: [port] });
    }),
  );
}

function forks(): FlowCase[] {
  return [1, 2, 3, 5].map((N) => {
    const port = { bits: 9, beats: beats(120, 9) };
    return flowCase(
      fork,
      { WIDTH: 9, N },
      {
        inputs: [port],
        outputs: Array.from({ length: N }, () => port),
        body: `  logic [8:0] shared;\n  assign m_data = {${N}{shared}};`,
        connections: { m_data: "shared" },
      },
    );
  });
}

function joins(): FlowCase[] {
  return [[4], [3, 7], [1, 2, 33]].map((widths) => {
    const inputs = widths.map((bits) => ({ bits, beats: beats(100, bits) }));
    const WIDTH = widths.reduce((a, b) => a + b, 0);
    const together = inputs[0].beats.map((_, beat) =>
      inputs.reduceRight((word, { bits, beats }) => (word << BigInt(bits)) | beats[beat], 0n),
    );
    const outputs = [{ bits: WIDTH, beats: together }];
    return flowCase(join, { WIDTH, N: widths.length }, { inputs, outputs });
  });
}

function concats(): FlowCase[] {
  return [
    [1, 1],
    [3, 1],
    [2, 5],
  ].flatMap(([A_BEATS, B_BEATS]) => {
    const params = { WIDTH: 8, A_BEATS, B_BEATS };
    const a = beats(20 * A_BEATS, 8);
    const b = beats(20 * B_BEATS, 8);
    const both = Array.from({ length: 20 }, (_, i) => [
      ...a.slice(i * A_BEATS, (i + 1) * A_BEATS),
      ...b.slice(i * B_BEATS, (i + 1) * B_BEATS),
    ]).flat();
    const apart = [
      { bits: 8, beats: a },
      { bits: 8, beats: b },
    ];
    const one = [{ bits: 8, beats: both }];
    const body = "  logic [7:0] shared;\n  assign m_data = {2{shared}};";
    return [
      flowCase(concat, params, { inputs: apart, outputs: one }),
      flowCase(split, params, {
        inputs: one,
        outputs: apart,
        body,
        connections: { m_data: "shared" },
      }),
    ];
  });
}

/** Beats of `lanes` elements of each row, `[row][lane]`; what is missing is filled up. */
function laneBeats(
  vectors: readonly (readonly (readonly bigint[])[])[],
  lanes: number,
  bits: number,
  fill: () => bigint,
): bigint[] {
  return vectors.flatMap((rows) =>
    Array.from({ length: Math.ceil(rows[0].length / lanes) }, (_, beat) =>
      packWord(
        rows.flatMap((row) =>
          Array.from({ length: lanes }, (_, lane) => row[beat * lanes + lane] ?? fill()),
        ),
        bits,
      ),
    ),
  );
}

function drawVectors(count: number, rows: number, V: number, bits: number): bigint[][][] {
  return Array.from({ length: count }, () => Array.from({ length: rows }, () => beats(V, bits)));
}

function widths(): FlowCase[] {
  const shapes = [
    [1, 1, 1, 1],
    [1, 8, 1, 4],
    [1, 8, 4, 1],
    [2, 12, 2, 6],
    [2, 12, 6, 2],
    [1, 13, 2, 4],
    [1, 13, 4, 2],
    [1, 144, 16, 29],
    [1, 30, 29, 16],
    [1, 24, 4, 6],
    [3, 24, 6, 4],
    [1, 25, 6, 4],
    [1, 25, 4, 6],
    [1, 7, 3, 5],
    [1, 7, 5, 3],
    [1, 3, 5, 7],
    [1, 3, 8, 2],
    [2, 5, 1, 8],
    [1, 6, 6, 6],
    [1, 1, 4, 4],
    [1, 10, 3, 2],
    [1, 10, 2, 3],
  ];
  return shapes.map(([ROWS, V, P_IN, P_OUT], i) => {
    const X_W = 3 + (i % 6);
    const vectors = drawVectors(25, ROWS, V, X_W);
    return flowCase(
      width,
      { X_W, ROWS, V, P_IN, P_OUT },
      {
        inputs: [
          {
            bits: ROWS * P_IN * X_W,
            beats: laneBeats(vectors, P_IN, X_W, () => randomBits(random, X_W)),
          },
        ],
        outputs: [{ bits: ROWS * P_OUT * X_W, beats: laneBeats(vectors, P_OUT, X_W, () => 0n) }],
      },
    );
  });
}

function axisLanes(): FlowCase[] {
  const shapes = [
    [8, 12, 8, 4, 3],
    [8, 12, 8, 1, 1],
    [5, 10, 8, 4, 2],
    [12, 7, 16, 2, 1],
    [20, 5, 32, 1, 5],
    [33, 3, 64, 2, 1],
    [3, 1, 8, 1, 1],
    [8, 9, 8, 8, 9],
  ];
  return shapes.flatMap(([X_W, V, CONTAINER_W, CONTAINERS, P], i) => {
    const SIGNED = i % 2 === 0;
    const vectors = drawVectors(20, 1, V, X_W);
    const lanes = { bits: P * X_W, beats: laneBeats(vectors, P, X_W, () => 0n) };
    const extended = vectors.map(([row]) => [
      row.map((code) => (SIGNED ? BigInt.asIntN(X_W, code) : code)),
    ]);
    const bits = CONTAINERS * CONTAINER_W;
    const packed = laneBeats(extended, CONTAINERS, CONTAINER_W, () => 0n);
    // The same elements, with noise in the rest of their containers, and tlast on top.
    const noisy = vectors.map(([row]) => [
      row.map((code) => (randomBits(random, CONTAINER_W - X_W) << BigInt(X_W)) | code),
    ]);
    const perPacket = Math.ceil(V / CONTAINERS);
    const withLast = (list: readonly bigint[]) =>
      list.map((word, beat) =>
        beat % perPacket === perPacket - 1 ? (1n << BigInt(bits)) | word : word,
      );
    const noise = () => randomBits(random, CONTAINER_W);
    return [
      flowCase(
        axisLanesIn,
        { X_W, V, CONTAINER_W, CONTAINERS, P },
        {
          inputs: [
            { bits: bits + 1, beats: withLast(laneBeats(noisy, CONTAINERS, CONTAINER_W, noise)) },
          ],
          outputs: [lanes],
          connections: {
            s_axis_tdata: `s_data[${bits - 1}:0]`,
            s_axis_tlast: `s_data[${bits}]`,
            s_axis_tvalid: "s_valid",
            s_axis_tready: "s_ready",
            packet_error: "flag",
          },
        },
      ),
      flowCase(
        axisLanesOut,
        { X_W, SIGNED, V, P, CONTAINER_W, CONTAINERS },
        {
          inputs: [lanes],
          outputs: [{ bits: bits + 1, beats: withLast(packed) }],
          connections: {
            m_axis_tdata: `m_data[${bits - 1}:0]`,
            m_axis_tlast: `m_data[${bits}]`,
            m_axis_tvalid: "m_valid",
            m_axis_tready: "m_ready",
          },
        },
      ),
    ];
  });
}

function slices(): FlowCase[] {
  const shapes = [
    [1, 1, 1, 0, 1, 1, 0, 1, 1],
    [4, 4, 1, 0, 2, 2, 0, 2, 2],
    [5, 5, 2, 0, 2, 3, 0, 2, 3],
    [6, 5, 1, 1, 1, 4, 2, 1, 2],
    [7, 6, 3, 2, 2, 2, 1, 3, 2],
    [1, 9, 1, 0, 1, 1, 4, 2, 3],
    [3, 8, 1, 1, 1, 2, 0, 1, 8],
    [8, 1, 2, 0, 3, 2, 0, 1, 1],
  ];
  return shapes.map(([H, W, B, Y0, SY, OH, X0, SX, OW]) => {
    const images = 6;
    const data = beats(images * H * W * B, 8);
    const out: bigint[] = [];
    for (let image = 0; image < images; image++) {
      for (let i = 0; i < OH; i++) {
        for (let j = 0; j < OW; j++) {
          const at = ((image * H + Y0 + i * SY) * W + X0 + j * SX) * B;
          out.push(...data.slice(at, at + B));
        }
      }
    }
    return flowCase(
      slice,
      { WIDTH: 8, H, W, B, Y0, SY, OH, X0, SX, OW },
      { inputs: [{ bits: 8, beats: data }], outputs: [{ bits: 8, beats: out }] },
    );
  });
}

function pads(): FlowCase[] {
  const shapes = [
    [1, 1, 1, 0, 0, 0, 0],
    [3, 4, 1, 1, 1, 1, 1],
    [3, 4, 2, 0, 2, 1, 0],
    [2, 2, 1, 2, 0, 0, 3],
    [1, 5, 3, 0, 0, 2, 2],
  ];
  return shapes.map(([H, W, B, PT, PB, PL, PR], i) => {
    const P = 1 + (i % 3);
    const VALUE = i === 0 ? 0 : -i;
    const images = 6;
    const data = beats(images * H * W * B, P * 5);
    const frame = packWord(new Array<bigint>(P).fill(BigInt(VALUE)), 5);
    const out: bigint[] = [];
    for (let image = 0; image < images; image++) {
      for (let y = -PT; y < H + PB; y++) {
        for (let x = -PL; x < W + PR; x++) {
          const real = y >= 0 && y < H && x >= 0 && x < W;
          for (let b = 0; b < B; b++) {
            out.push(real ? data[((image * H + y) * W + x) * B + b] : frame);
          }
        }
      }
    }
    return flowCase(
      pad,
      { P, X_W: 5, H, W, B, PT, PB, PL, PR, VALUE },
      { inputs: [{ bits: P * 5, beats: data }], outputs: [{ bits: P * 5, beats: out }] },
    );
  });
}

function upsamples(): FlowCase[] {
  const shapes = [
    [1, 1, 1, 1],
    [1, 1, 1, 4],
    [1, 3, 1, 4],
    [4, 1, 2, 2],
    [3, 2, 2, 3],
    [5, 3, 3, 1],
    [5, 1, 2, 1],
    [1, 1, 3, 2],
  ];
  return shapes.flatMap(([W, B, FY, FX]) =>
    [0, 1].map((STYLE) => {
      const rows = 8;
      const data = beats(rows * W * B, 7);
      const out: bigint[] = [];
      for (let y = 0; y < rows * FY; y++) {
        for (let x = 0; x < W * FX; x++) {
          const at = (Math.floor(y / FY) * W + Math.floor(x / FX)) * B;
          out.push(...data.slice(at, at + B));
        }
      }
      return flowCase(
        upsample,
        { WIDTH: 7, W, B, FY, FX, STYLE },
        { inputs: [{ bits: 7, beats: data }], outputs: [{ bits: 7, beats: out }] },
      );
    }),
  );
}

function reorders(): FlowCase[] {
  const shapes = [
    [1, 1],
    [1, 3],
    [4, 4],
    [6, 3],
    [5, 9],
    [12, 12],
    [16, 16],
  ];
  return shapes.flatMap(([IN_BEATS, OUT_BEATS], i) =>
    [0, 1].map((STYLE) => {
      const order = Array.from({ length: OUT_BEATS }, () => random.below(IN_BEATS));
      const data = beats(20 * IN_BEATS, 11);
      const out = Array.from({ length: 20 }, (_, group) =>
        order.map((beat) => data[group * IN_BEATS + beat]),
      ).flat();
      const ORDER = `order${i}_${STYLE}.hex`;
      return flowCase(
        reorder,
        { WIDTH: 11, IN_BEATS, OUT_BEATS, STYLE, ORDER },
        {
          inputs: [{ bits: 11, beats: data }],
          outputs: [{ bits: 11, beats: out }],
          files: { [ORDER]: reorderMemory(IN_BEATS, order) },
        },
      );
    }),
  );
}

function loops(): FlowCase[] {
  const shapes = [
    [1, 2],
    [1, 5],
    [3, 2],
    [4, 4],
    [5, 3],
  ];
  const sequences = 12;
  return shapes.flatMap(([BEATS, STEPS], i) =>
    Object.values(initCode).map((INIT) => {
      const WIDTH = 4 + i;
      const back = beats(sequences * STEPS * BEATS, WIDTH);
      const words = beats(BEATS, WIDTH);
      const first = INIT === initCode.stream ? beats(sequences * BEATS, WIDTH) : undefined;
      const constant = INIT === initCode.words ? words : new Array<bigint>(BEATS).fill(0n);
      const out = Array.from({ length: sequences }, (_, at) => [
        ...(first?.slice(at * BEATS, (at + 1) * BEATS) ?? constant),
        ...back.slice(at * STEPS * BEATS, ((at + 1) * STEPS - 1) * BEATS),
      ]).flat();
      // A constant state is offered without end: that of the next sequence too.
      if (first === undefined) out.push(...constant);
      const STATE = `state${i}.hex`;
      const isWords = INIT === initCode.words;
      return flowCase(
        loop,
        {
          ...{ WIDTH, BEATS, STEPS, INIT, INPUTS: first === undefined ? 1 : 2 },
          STATE: isWords ? STATE : "",
        },
        {
          inputs: [back, ...(first === undefined ? [] : [first])].map((list) => ({
            bits: WIDTH,
            beats: list,
          })),
          outputs: [{ bits: WIDTH, beats: out }],
          files: isWords ? { [STATE]: memoryImage(words, WIDTH) } : {},
        },
      );
    }),
  );
}

const cases = [
  ...fifos(),
  ...forks(),
  ...joins(),
  ...concats(),
  ...widths(),
  ...axisLanes(),
  ...slices(),
  ...pads(),
  ...upsamples(),
  ...reorders(),
  ...loops(),
];

describe.skipIf(!tools.verilator)(`stream modules under Verilator, seed ${seed}`, () => {
  const folder = temporaryFolder();
  let bench: FlowBench;
  beforeAll(() => {
    bench = buildFlowBench(folder.path, cases);
  });

  it.each(traffics)("move the right beats in the predicted cycles: %o", (traffic) => {
    checkFlow(bench, cases, traffic);
  });
});

describe.skipIf(!tools.verilator || !tools.yosys)("stream modules as Yosys reads them", () => {
  const folder = temporaryFolder();

  it("do the same", () => {
    const some = cases.filter((_, i) => i % 3 === 0);
    const bench = buildFlowBench(folder.path, some, { throughYosys: true });
    checkFlow(bench, some, { seed: 7, pauseIn: 50, pauseOut: 50 });
  });
});
