/** Points at which the formulas of hw/cost are held against synthesis. */
import { library } from "../../src/hwlib/index.ts";
import type { Point } from "./synthesis.ts";

type Params = Point["params"];

const channels = {
  ...{ C: 16, K: 9, PE: 2, ROWS: 1, PARALLEL: true, X_W: 8, X_SIGNED: false, W_W: 8, ACC_W: 20 },
  ...{ MULTIPLIER: 1, MEMORY: 0 },
};

const product = {
  ...{ M: 16, K: 16, N: 16, SIMD: 4, PE: 4, TRANSPOSED: false, A_W: 8, A_SIGNED: true },
  ...{ B_W: 8, B_SIGNED: true, Y_W: 20, MULTIPLIER: 1, STYLE: 0 },
};

const cut = { WIDTH: 32, H: 16, W: 16, B: 4, Y0: 2, SY: 1, OH: 12, X0: 2, SX: 1, OW: 12 };
const frame = { P: 4, X_W: 8, H: 16, W: 16, B: 2, PT: 1, PB: 1, PL: 1, PR: 1, VALUE: 0 };
const picture = {
  ...{ H: 16, W: 16, C: 4, X_W: 8, KH: 3, KW: 3, SH: 1, SW: 1, DH: 1, DW: 1 },
  ...{ PT: 1, PB: 1, PL: 1, PR: 1, PAD: 0, COLS: 1, STYLE: 0 },
};
const line = { ...picture, H: 1, KH: 1, KW: 4, W: 10, X_W: 16, PT: 0, PB: 0, PR: 2 };
const { COLS: _, ...held } = { ...picture, P: 4, C: 8, LINES: 4, CHANNEL_MAJOR: false };

const unit = {
  ...{ K: 36, N: 16, SIMD: 9, PE: 4, ROWS: 1, PARALLEL: false, X_W: 8, X_SIGNED: false, W_W: 8 },
  ...{ ACC_W: 20, MULTIPLIER: 2, CHAIN: 3, MEMORY: 1 },
};
const single = { ...unit, MULTIPLIER: 1, CHAIN: 1 };

const steps = { P: 2, ROWS: 1, BEATS: 8, X_W: 16, X_SIGNED: true, T_W: 17, Y_W: 4 };
const scale = {
  ...{ P: 2, ROWS: 1, BEATS: 8, X_W: 16, X_SIGNED: true, M_W: 12, O_W: 20, Y_W: 8 },
  ...{ Y_SIGNED: true, SHIFT: 14, ROUNDING: 2, OVERFLOW: 0 },
};
const lanes = { V: 64, P: 4, OP: 0, X_W: 8, X_SIGNED: true, Y_W: 8 };
const sumOfLanes = { ...lanes, OP: 1, Y_W: 14 };
const leastOfLanes = { ...lanes, P: 8, V: 100, OP: 2, X_SIGNED: false, X_W: 12, Y_W: 12 };
const resize = { X_W: 8, ROWS: 1, V: 64, P_IN: 1, P_OUT: 4 };
const threeToFour = { ...resize, P_IN: 3, P_OUT: 4, V: 48 };
const packets = { X_W: 8, V: 64, CONTAINER_W: 8, CONTAINERS: 4, P: 8 };

const table: Readonly<Record<string, readonly Params[]>> = {
  n2f_fifo: [
    { WIDTH: 64, DEPTH: 2, STYLE: 0 },
    { WIDTH: 8, DEPTH: 5, STYLE: 0 },
    { WIDTH: 100, DEPTH: 40, STYLE: 0 },
    { WIDTH: 12, DEPTH: 200, STYLE: 0 },
    { WIDTH: 16, DEPTH: 512, STYLE: 1 },
    { WIDTH: 100, DEPTH: 2000, STYLE: 1 },
  ],
  n2f_window_line: [
    picture,
    { ...picture, C: 16, STYLE: 1 },
    { ...picture, COLS: 2 },
    { ...picture, COLS: 4 },
    { ...picture, KH: 2, KW: 2, SH: 2, SW: 2, PT: 0, PB: 0, PL: 0, PR: 0 },
    line,
  ],
  n2f_window_mem: [
    held,
    { ...held, C: 32, P: 8, STYLE: 1 },
    { ...held, P: 1, LINES: 3, CHANNEL_MAJOR: true, STYLE: 1, SH: 2, SW: 2 },
    { ...held, C: 64, P: 16, H: 32, W: 32, STYLE: 1 },
  ],
  n2f_mvu: [
    unit,
    { ...unit, K: 72, N: 36, SIMD: 6, PE: 6, X_W: 7, CHAIN: 6, MEMORY: 0 },
    { ...unit, K: 72, N: 4, SIMD: 18, X_W: 7, CHAIN: 6, MEMORY: 0, PARALLEL: true },
    { ...unit, N: 4, SIMD: 18, ROWS: 2, X_W: 7, CHAIN: 6, MEMORY: 0, PARALLEL: true },
    { ...unit, K: 256, N: 10, SIMD: 5, PE: 2, W_W: 5, ACC_W: 18, CHAIN: 5, MEMORY: 0 },
    { ...single, PE: 3, N: 15 },
    { ...single, K: 64, N: 10, SIMD: 1, PE: 1, X_W: 7, ACC_W: 18, MEMORY: 0 },
    { ...single, K: 8, N: 16, SIMD: 2, PE: 2, X_W: 16, W_W: 16, ACC_W: 34, MEMORY: 0 },
    { ...single, SIMD: 6, PE: 2, ROWS: 2, MEMORY: 0, PARALLEL: true },
    { ...single, MULTIPLIER: 0, SIMD: 4, PE: 2, K: 32 },
    // Weights that hardly change are constants to the synthesis.
    { ...single, MULTIPLIER: 0, K: 9, N: 2, PE: 2, MEMORY: 0 },
    { ...single, MULTIPLIER: 0, K: 32, X_W: 12, W_W: 4, SIMD: 2, MEMORY: 0 },
    { ...single, MULTIPLIER: 0, K: 64, N: 64, SIMD: 1, PE: 2 },
  ],
  n2f_scale: [
    scale,
    { ...scale, P: 1, BEATS: 64, X_W: 20, M_W: 16, O_W: 34, SHIFT: 24, Y_SIGNED: false },
    { ...scale, ROUNDING: 1, OVERFLOW: 3, Y_W: 10, ROWS: 2 },
    { ...scale, P: 4, BEATS: 1, X_W: 12, M_W: 8, O_W: 16, SHIFT: 8, Y_W: 6 },
    { ...scale, P: 1, BEATS: 32, X_W: 24, M_W: 18, O_W: 40, SHIFT: 30 },
  ],
  n2f_depthwise: [
    channels,
    { ...channels, MULTIPLIER: 0 },
    { ...channels, PE: 4, ROWS: 2 },
    { ...channels, PARALLEL: false, PE: 4, MEMORY: 1 },
    { ...channels, PARALLEL: false, PE: 4, MULTIPLIER: 0 },
    { ...channels, C: 8, PE: 8, X_W: 6, W_W: 4, ACC_W: 14 },
  ],
  n2f_pool: [
    { C: 16, K: 4, PE: 4, ROWS: 1, PARALLEL: true, OP: 0, X_W: 8, X_SIGNED: false, Y_W: 8 },
    { C: 16, K: 9, PE: 16, ROWS: 2, PARALLEL: true, OP: 1, X_W: 8, X_SIGNED: false, Y_W: 12 },
    { C: 16, K: 9, PE: 8, ROWS: 1, PARALLEL: false, OP: 2, X_W: 8, X_SIGNED: true, Y_W: 8 },
  ],
  n2f_matmul2: [
    product,
    { ...product, MULTIPLIER: 0 },
    { ...product, TRANSPOSED: true },
    { ...product, K: 64, N: 64, STYLE: 1, SIMD: 8, PE: 2, Y_W: 22 },
    { ...product, K: 64, N: 64, STYLE: 1, SIMD: 8, PE: 2, Y_W: 22, TRANSPOSED: true },
    { ...product, SIMD: 16, PE: 1, MULTIPLIER: 0, A_W: 6, B_W: 6, Y_W: 16 },
    { ...product, SIMD: 1, PE: 8, B_SIGNED: false, N: 64 },
    { ...product, PE: 16, SIMD: 2, A_SIGNED: false },
  ],
  n2f_reduce: [{ P: 8, BEATS: 4, PIXELS: 16, OP: 1, X_W: 8, X_SIGNED: false, Y_W: 12 }],
  n2f_reduce_lanes: [
    lanes,
    sumOfLanes,
    { ...lanes, OP: 3, Y_W: 6 },
    { ...lanes, P: 16, V: 250 },
    { ...lanes, P: 16, V: 32, OP: 3, Y_W: 5, X_W: 12 },
    { ...lanes, P: 1, V: 10, OP: 3, Y_W: 4, X_W: 16 },
    leastOfLanes,
    { ...lanes, P: 16, V: 256, OP: 1, Y_W: 16 },
    { ...lanes, P: 10, V: 10, OP: 3, X_W: 12, Y_W: 4 },
    { ...lanes, P: 32, V: 32, OP: 3, X_W: 6, Y_W: 5 },
    { ...lanes, P: 10, V: 10, X_W: 12, Y_W: 12 },
  ],
  n2f_width: [
    resize,
    { ...resize, P_IN: 4, P_OUT: 1 },
    { ...resize, P_IN: 8, P_OUT: 32, V: 256 },
    { ...resize, P_IN: 32, P_OUT: 8, V: 256 },
    { ...resize, P_IN: 1, P_OUT: 9, V: 9, X_W: 6 },
    threeToFour,
    { ...resize, P_IN: 9, P_OUT: 4, V: 144 },
    { ...resize, P_IN: 5, P_OUT: 16, V: 80 },
    { ...resize, P_IN: 29, P_OUT: 4, V: 144 },
    { ...resize, P_IN: 4, P_OUT: 29, V: 144 },
    { ...resize, P_IN: 12, P_OUT: 8, V: 96, X_W: 16 },
    { ...resize, P_IN: 2, P_OUT: 8, V: 30 },
    { ...resize, P_IN: 64, P_OUT: 16, V: 64 },
    { ...resize, P_IN: 4, P_OUT: 8, ROWS: 3 },
  ],
  n2f_axis_lanes_in: [
    packets,
    { ...packets, CONTAINER_W: 16, X_W: 12 },
    { ...packets, CONTAINERS: 8, P: 2 },
    { ...packets, CONTAINERS: 4, P: 3, V: 768 },
    { ...packets, CONTAINERS: 1, P: 1, V: 1024 },
    { ...packets, CONTAINERS: 16, P: 16, V: 490, X_W: 10, CONTAINER_W: 16 },
  ],
  n2f_axis_lanes_out: [
    { ...packets, SIGNED: true },
    { ...packets, SIGNED: true, CONTAINER_W: 32, X_W: 18, P: 2, CONTAINERS: 1, V: 10 },
    { ...packets, SIGNED: false, CONTAINERS: 8, P: 3, V: 768 },
    { ...packets, SIGNED: false, CONTAINERS: 1, P: 1, V: 10, X_W: 6 },
  ],
  n2f_fork: [
    { WIDTH: 64, N: 2 },
    { WIDTH: 64, N: 5 },
  ],
  n2f_concat: [
    { WIDTH: 32, A_BEATS: 4, B_BEATS: 4 },
    { WIDTH: 128, A_BEATS: 3, B_BEATS: 1 },
    { WIDTH: 8, A_BEATS: 100, B_BEATS: 300 },
  ],
  n2f_split: [
    { WIDTH: 32, A_BEATS: 4, B_BEATS: 4 },
    { WIDTH: 8, A_BEATS: 1000, B_BEATS: 300 },
  ],
  n2f_loop: [
    { WIDTH: 32, BEATS: 1, STEPS: 4, INIT: 0, INPUTS: 1 },
    { WIDTH: 64, BEATS: 16, STEPS: 16, INIT: 0, INPUTS: 1 },
    { WIDTH: 8, BEATS: 100, STEPS: 30, INIT: 0, INPUTS: 1 },
    { WIDTH: 16, BEATS: 16, STEPS: 10, INIT: 1, INPUTS: 1 },
    { WIDTH: 32, BEATS: 8, STEPS: 10, INIT: 2, INPUTS: 2 },
    { WIDTH: 128, BEATS: 4, STEPS: 100, INIT: 2, INPUTS: 2 },
  ],
  n2f_slice: [
    cut,
    { ...cut, Y0: 0, X0: 0, SY: 2, SX: 2, OH: 8, OW: 8 },
    { ...cut, B: 1, H: 1, Y0: 0, OH: 1, W: 100, X0: 99, OW: 1 },
    { ...cut, H: 200, W: 300, OH: 100, OW: 50, SX: 3, B: 20 },
  ],
  n2f_pad: [
    frame,
    { ...frame, P: 16, VALUE: -128 },
    { ...frame, H: 100, W: 200, B: 7, PB: 0, PR: 0 },
  ],
  n2f_upsample: [
    { WIDTH: 32, W: 16, B: 1, FY: 2, FX: 2, STYLE: 0 },
    { WIDTH: 32, W: 64, B: 4, FY: 2, FX: 2, STYLE: 1 },
    { WIDTH: 64, W: 1, B: 1, FY: 1, FX: 49, STYLE: 0 },
    { WIDTH: 64, W: 1, B: 8, FY: 1, FX: 16, STYLE: 0 },
    { WIDTH: 24, W: 20, B: 4, FY: 3, FX: 3, STYLE: 0 },
    { WIDTH: 80, W: 256, B: 4, FY: 2, FX: 2, STYLE: 1 },
  ],
  n2f_reorder: [
    { WIDTH: 32, IN_BEATS: 16, OUT_BEATS: 16, STYLE: 0 },
    { WIDTH: 8, IN_BEATS: 100, OUT_BEATS: 100, STYLE: 0 },
    { WIDTH: 64, IN_BEATS: 60, OUT_BEATS: 200, STYLE: 0 },
    { WIDTH: 32, IN_BEATS: 600, OUT_BEATS: 600, STYLE: 1 },
    { WIDTH: 16, IN_BEATS: 1000, OUT_BEATS: 4000, STYLE: 1 },
  ],
  n2f_threshold: [
    steps,
    { ...steps, P: 8, BEATS: 1, Y_W: 2, X_W: 12, T_W: 13 },
    { ...steps, Y_W: 8, BEATS: 1, P: 1 },
    { ...steps, Y_W: 4, BEATS: 32, P: 2, X_SIGNED: false },
    { ...steps, Y_W: 1 },
    { ...steps, Y_W: 1, BEATS: 1, P: 16, X_W: 8, T_W: 9 },
    { ...steps, Y_W: 1, BEATS: 4, P: 8, X_W: 10, T_W: 11 },
    { ...steps, Y_W: 2, BEATS: 16, X_W: 12, T_W: 13, ROWS: 2 },
  ],
  n2f_constants: [
    { WORDS: 4, DATA_W: 64 },
    { WORDS: 16, DATA_W: 64 },
    { WORDS: 64, DATA_W: 32 },
    { WORDS: 200, DATA_W: 20 },
  ],
};

/**
 * LUTs that Yosys found for points whose count depends on what else it has read, least and most. An estimate is held to
 * 15 % of that range: no formula can be within 15 % of each.
 */
export const unsteady = new Map<Params, readonly [number, number]>([
  [sumOfLanes, [50, 64]],
  [leastOfLanes, [249, 374]],
  [threeToFour, [107, 113]],
]);

/** By name of the module. */
export const costPoints: ReadonlyMap<string, readonly Point[]> = new Map(
  Object.entries(table).map(([name, list]) => {
    const module = library.get(name);
    if (module === undefined) throw new Error(`there is no module ${name}`);
    return [name, list.map((params) => ({ module, params }))];
  }),
);
