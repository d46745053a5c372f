import type { ParameterSpecs, ParameterValues } from "../../src/hwlib/index.ts";

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
  n2f_matvec: [
    engine(1, 1, 1, 1, 1, 1),
    engine(1, 1, 5, 1, 3, 9),
    engine(2, 3, 1, 1, 2, 1),
    engine(3, 2, 4, 5, 2, 40),
    engine(1, 7, 32, 2, 4, 1),
  ],
  n2f_axis_pack: [1, 2, 5].map((BEATS) => ({ BEATS, BEAT_W: 9 })),
  n2f_axis_unpack: [1, 2, 5].map((BEATS) => ({ BEATS, BEAT_W: 9 })),
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
