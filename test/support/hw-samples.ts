import type {
  MvuParameters,
  ParameterSpecs,
  ParameterValues,
  WindowParameters,
} from "../../src/hwlib/index.ts";

/** Parameters for every module, edges included, with which it must lint and elaborate. */
export const sampleParameters: Readonly<
  Record<string, readonly ParameterValues<ParameterSpecs>[]>
> = {
  n2f_adder_tree: [
    { LENGTH: 1, X_W: 1, Y_W: 1 },
    { LENGTH: 2, X_W: 8, Y_W: 3 },
    { LENGTH: 11, X_W: 8, Y_W: 12 },
    { LENGTH: 64, X_W: 18, Y_W: 20 },
  ],
  n2f_dot: [
    { LENGTH: 1, X_W: 1, X_SIGNED: false, W_W: 1, Y_W: 1 },
    { LENGTH: 3, X_W: 8, X_SIGNED: true, W_W: 8, Y_W: 18 },
    { LENGTH: 20, X_W: 16, X_SIGNED: false, W_W: 6, Y_W: 40 },
  ],
  n2f_requantize: [
    ...requantizers(1, 1),
    ...requantizers(2, 5),
    ...requantizers(16, 8),
    ...requantizers(40, 18),
  ],
  n2f_lut: [
    { DEPTH: 1, DATA_W: 1, ADDR_W: 1, INIT: "" },
    { DEPTH: 37, DATA_W: 70, ADDR_W: 6, INIT: "" },
  ],
  n2f_rom: [
    { DEPTH: 1, DATA_W: 1, ADDR_W: 1, INIT: "" },
    { DEPTH: 37, DATA_W: 70, ADDR_W: 6, INIT: "" },
  ],
  n2f_constants: [
    { WORDS: 1, DATA_W: 1, INIT: "" },
    { WORDS: 37, DATA_W: 70, INIT: "" },
  ],
  n2f_matvec: [
    engine(1, 1, 1, 1, 1, 1),
    engine(1, 1, 5, 1, 3, 9),
    engine(2, 3, 1, 1, 2, 1),
    engine(3, 2, 4, 5, 2, 40),
    engine(1, 7, 32, 2, 4, 1),
  ],
  n2f_axis_pack: [1, 2, 5].map((BEATS) => ({ BEATS, BEAT_W: 9 })),
  n2f_axis_unpack: [1, 2, 5].map((BEATS) => ({ BEATS, BEAT_W: 9 })),
  n2f_dot_lut: [
    { LENGTH: 1, X_W: 1, X_SIGNED: false, W_W: 1, Y_W: 1 },
    { LENGTH: 3, X_W: 8, X_SIGNED: true, W_W: 8, Y_W: 18 },
    { LENGTH: 20, X_W: 16, X_SIGNED: false, W_W: 5, Y_W: 40 },
  ],
  n2f_dot_pair: [
    { LENGTH: 1, CHAIN: 1, X_W: 1, X_SIGNED: false, W_W: 1, Y_W: 1 },
    { LENGTH: 3, CHAIN: 3, X_W: 8, X_SIGNED: true, W_W: 8, Y_W: 18 },
    { LENGTH: 20, CHAIN: 7, X_W: 8, X_SIGNED: false, W_W: 8, Y_W: 24 },
  ],
  n2f_pair_slice: [
    { X_W: 1, X_SIGNED: false, W_W: 1, FIRST: true },
    { X_W: 8, X_SIGNED: true, W_W: 8, FIRST: false },
    { X_W: 17, X_SIGNED: false, W_W: 12, FIRST: true },
  ],
  n2f_mvu_weights: [0, 1].flatMap((MEMORY) => [
    { DEPTH: 1, DATA_W: 1, ADDR_W: 1, MEMORY, INIT: "" },
    { DEPTH: 37, DATA_W: 70, ADDR_W: 6, MEMORY, INIT: "" },
  ]),
  n2f_mvu: [0, 1, 2].flatMap((MULTIPLIER) => [
    unit(4, 4, 2, 2, { MULTIPLIER }),
    unit(7, 5, 3, 2, { MULTIPLIER, ROWS: 2, X_SIGNED: false, MEMORY: 1 }),
    unit(7, 5, 3, 2, { MULTIPLIER, ROWS: 2, PARALLEL: true }),
    unit(1, 1, 1, 1, { MULTIPLIER, PARALLEL: true }),
    unit(9, 3, 9, 1, { MULTIPLIER, MEMORY: 1 }),
    unit(9, 3, 2, 3, { MULTIPLIER, W_W: 2, X_W: 3 }),
  ]),
  n2f_rom_block: [
    { DEPTH: 1, DATA_W: 1, ADDR_W: 1, INIT: "" },
    { DEPTH: 37, DATA_W: 70, ADDR_W: 6, INIT: "" },
  ],
  n2f_window_line: [
    { ...picture(1, 1, 1, 1, 1, 0), COLS: 1, STYLE: 0 },
    { ...picture(6, 8, 3, 3, 1, 1), COLS: 1, STYLE: 0 },
    { ...picture(6, 8, 3, 3, 2, 1), COLS: 4, STYLE: 1 },
    { ...picture(1, 9, 1, 4, 1, 0), COLS: 1, STYLE: 0 },
    { ...picture(5, 1, 2, 1, 1, 0), COLS: 1, STYLE: 0 },
  ],
  n2f_window_mem: [
    { ...picture(1, 1, 1, 1, 1, 0), P: 1, LINES: 1, CHANNEL_MAJOR: false, STYLE: 0 },
    { ...picture(6, 8, 3, 3, 1, 1), P: 1, LINES: 4, CHANNEL_MAJOR: false, STYLE: 0 },
    { ...picture(6, 8, 3, 3, 2, 1), P: 2, LINES: 3, CHANNEL_MAJOR: true, STYLE: 1 },
    { ...picture(1, 9, 1, 4, 1, 0), P: 2, LINES: 1, CHANNEL_MAJOR: true, STYLE: 0 },
  ],
  n2f_slicer: [
    { VECTORS: 1, V: 1, P: 1, X_W: 1 },
    { VECTORS: 3, V: 7, P: 2, X_W: 5 },
  ],
  n2f_reduce_tree: [0, 1, 2].flatMap((OP) =>
    [1, 2, 3, 9, 18].map((LENGTH) => ({ LENGTH, OP, X_W: 5, X_SIGNED: OP > 0, Y_W: 9 })),
  ),
  n2f_depthwise: [true, false].flatMap((PARALLEL) =>
    [
      { C: 1, K: 1, PE: 1, ROWS: 1, MULTIPLIER: 1, MEMORY: 0 },
      { C: 6, K: 9, PE: 2, ROWS: 2, MULTIPLIER: 0, MEMORY: 1 },
    ].map((folds) => ({
      ...{ ...folds, PARALLEL, X_W: 8, X_SIGNED: false, W_W: 8, ACC_W: 22 },
      ...{ WEIGHTS: "", BIAS: "" },
    })),
  ),
  n2f_pool: [true, false].flatMap((PARALLEL) =>
    [0, 1, 2].map((OP) => {
      const folds = { C: 6, K: OP === 0 ? 1 : 9, PE: 2, ROWS: 2 };
      return { ...folds, PARALLEL, OP, X_W: 5, X_SIGNED: OP > 0, Y_W: 9 };
    }),
  ),
  n2f_reduce: [0, 1, 2].map((OP) => {
    return { PIXELS: 1 + 5 * OP, BEATS: 1 + OP, P: 2, OP, X_W: 5, X_SIGNED: OP > 0, Y_W: 9 };
  }),
  n2f_reduce_lanes: [0, 1, 2, 3].map((OP) => {
    return { V: 1 + 9 * OP, P: 1 + OP, OP, X_W: 5, X_SIGNED: OP > 0, Y_W: 9 };
  }),
  n2f_scale: [1, 3].map((P) => ({
    ...{
      P,
      ROWS: P,
      BEATS: P,
      X_W: 16,
      X_SIGNED: P > 1,
      M_W: 12,
      O_W: 20,
      Y_W: 8,
      Y_SIGNED: P === 1,
    },
    ...{ SHIFT: 14, ROUNDING: 2, OVERFLOW: 0, CONSTANTS: "" },
  })),
  n2f_threshold: [1, 3].map((P) => {
    return { P, ROWS: P, BEATS: P, X_W: 8, X_SIGNED: P > 1, T_W: 9, Y_W: P, THRESHOLDS: "" };
  }),
  n2f_matmul2: [true, false].flatMap((TRANSPOSED) =>
    [
      { M: 1, K: 1, N: 1, SIMD: 1, PE: 1, MULTIPLIER: 1, STYLE: 0 },
      { M: 3, K: 6, N: 4, SIMD: 2, PE: 2, MULTIPLIER: 0, STYLE: 1 },
    ].map((folds) => ({
      ...{ ...folds, TRANSPOSED, A_W: 8, A_SIGNED: false, B_W: 7, B_SIGNED: TRANSPOSED, Y_W: 20 },
    })),
  ),
  n2f_fifo: [2, 3, 16, 600].flatMap((DEPTH) => [0, 1].map((STYLE) => ({ WIDTH: 9, DEPTH, STYLE }))),
  n2f_fork: [1, 3].map((N) => ({ WIDTH: 5, N })),
  n2f_join: [1, 3].map((N) => ({ WIDTH: 15, N })),
  n2f_concat: [
    { WIDTH: 5, A_BEATS: 1, B_BEATS: 1 },
    { WIDTH: 1, A_BEATS: 3, B_BEATS: 7 },
  ],
  n2f_split: [
    { WIDTH: 5, A_BEATS: 1, B_BEATS: 1 },
    { WIDTH: 1, A_BEATS: 3, B_BEATS: 7 },
  ],
  n2f_loop: [
    { WIDTH: 5, BEATS: 1, STEPS: 2, INIT: 0, INPUTS: 1, STATE: "" },
    { WIDTH: 8, BEATS: 3, STEPS: 4, INIT: 1, INPUTS: 1, STATE: "" },
    { WIDTH: 1, BEATS: 4, STEPS: 3, INIT: 2, INPUTS: 2, STATE: "" },
  ],
  n2f_width: [
    { X_W: 1, ROWS: 1, V: 1, P_IN: 1, P_OUT: 1 },
    { X_W: 3, ROWS: 2, V: 12, P_IN: 4, P_OUT: 2 },
    { X_W: 3, ROWS: 2, V: 13, P_IN: 2, P_OUT: 6 },
    { X_W: 3, ROWS: 1, V: 13, P_IN: 4, P_OUT: 6 },
    { X_W: 2, ROWS: 1, V: 3, P_IN: 5, P_OUT: 7 },
  ],
  n2f_axis_lanes_in: [
    { X_W: 8, V: 10, CONTAINER_W: 8, CONTAINERS: 4, P: 2 },
    { X_W: 5, V: 1, CONTAINER_W: 16, CONTAINERS: 1, P: 1 },
  ],
  n2f_axis_lanes_out: [
    { X_W: 8, SIGNED: true, V: 10, P: 3, CONTAINER_W: 8, CONTAINERS: 4 },
    { X_W: 5, SIGNED: false, V: 1, P: 1, CONTAINER_W: 16, CONTAINERS: 1 },
  ],
  n2f_slice: [
    { WIDTH: 4, H: 1, W: 1, B: 1, Y0: 0, SY: 1, OH: 1, X0: 0, SX: 1, OW: 1 },
    { WIDTH: 4, H: 7, W: 5, B: 3, Y0: 1, SY: 2, OH: 3, X0: 0, SX: 3, OW: 2 },
  ],
  n2f_pad: [
    { P: 1, X_W: 8, H: 1, W: 1, B: 1, PT: 0, PB: 0, PL: 0, PR: 0, VALUE: 0 },
    { P: 3, X_W: 5, H: 3, W: 4, B: 2, PT: 1, PB: 2, PL: 0, PR: 1, VALUE: -3 },
  ],
  n2f_upsample: [
    { WIDTH: 8, W: 1, B: 1, FY: 1, FX: 1, STYLE: 0 },
    { WIDTH: 8, W: 1, B: 1, FY: 1, FX: 5, STYLE: 0 },
    { WIDTH: 8, W: 4, B: 3, FY: 2, FX: 3, STYLE: 0 },
    { WIDTH: 8, W: 4, B: 3, FY: 2, FX: 3, STYLE: 1 },
  ],
  n2f_reorder: [0, 1].flatMap((STYLE) => [
    { WIDTH: 8, IN_BEATS: 1, OUT_BEATS: 1, STYLE, ORDER: "" },
    { WIDTH: 8, IN_BEATS: 5, OUT_BEATS: 7, STYLE, ORDER: "" },
  ]),
  n2f_pipe_valid: [1, 2, 9].map((STAGES) => ({ STAGES })),
};

function requantizers(IN_W: number, OUT_W: number): ParameterValues<ParameterSpecs>[] {
  return [-3, 0, 1, 4, IN_W + 2].flatMap((SHIFT) =>
    [0, 1, 2, 3].flatMap((ROUNDING) =>
      [0, 1, 2, 3].map((OVERFLOW) => ({
        IN_W,
        IN_SIGNED: (ROUNDING + OVERFLOW) % 2 === 0,
        OUT_W,
        OUT_SIGNED: (ROUNDING + SHIFT) % 2 === 0,
        SHIFT,
        ROUNDING,
        OVERFLOW,
      })),
    ),
  );
}

function unit(
  K: number,
  N: number,
  SIMD: number,
  PE: number,
  rest: Partial<MvuParameters>,
): ParameterValues<ParameterSpecs> {
  return {
    ...{ K, N, SIMD, PE, ROWS: 1, PARALLEL: false, X_W: 8, X_SIGNED: true, W_W: 8, ACC_W: 20 },
    ...{ MULTIPLIER: 0, CHAIN: Math.min(2, SIMD), MEMORY: 0, WEIGHTS: "", BIAS: "", ...rest },
  };
}

function picture(
  H: number,
  W: number,
  KH: number,
  KW: number,
  stride: number,
  padding: number,
): WindowParameters {
  return {
    ...{ H, W, C: 4, X_W: 5, KH, KW, SH: stride, SW: stride, DH: 1, DW: 1 },
    ...{ PT: padding, PB: padding, PL: padding, PR: padding, PAD: -padding },
  };
}

function engine(
  ROWS: number,
  K_STEPS: number,
  SIMD: number,
  N_STEPS: number,
  PE: number,
  PASS_W: number,
): ParameterValues<ParameterSpecs> {
  return {
    ...{ ROWS, K_STEPS, SIMD, N_STEPS, PE, PASS_W },
    ...{ X_W: 8, X_SIGNED: SIMD % 2 === 0, W_W: 6, ACC_W: 20, WEIGHTS: "", BIAS: "" },
  };
}
