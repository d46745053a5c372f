import { defineStreamModule, pipelineModel } from "./cycle-model.ts";
import { memoryImage, packWord } from "./memory-image.ts";
import type { ParameterValues } from "./module.ts";

const parameters = {
  P: { type: "int", min: 1 },
  ROWS: { type: "int", min: 1 },
  BEATS: { type: "int", min: 1 },
  X_W: { type: "int", min: 1 },
  X_SIGNED: { type: "bit" },
  M_W: { type: "int", min: 1 },
  O_W: { type: "int", min: 1 },
  Y_W: { type: "int", min: 1 },
  Y_SIGNED: { type: "bit" },
  SHIFT: { type: "int" },
  ROUNDING: { type: "int", min: 0, max: 3 },
  OVERFLOW: { type: "int", min: 0, max: 3 },
  CONSTANTS: { type: "string" },
} as const;

/**
 * Multiplier and shift: y = (x * factor[c] + offset[c]) / 2^SHIFT, rounded and limited as `n2f_requantize`
 * does, with a factor (signed, M_W bits) and an offset (signed, O_W bits) for each channel. Beat b of every
 * BEATS beats has the channels b*P .. b*P + P-1.
 *
 * Streams. In: x of lane p, row r at (r*P + p)*X_W. Out: at (r*P + p)*Y_W.
 *
 * Cycles. A plain pipeline: one beat a cycle, L = 5 (`pipelineModel(5)`).
 */
export const scale = defineStreamModule({
  name: "n2f_scale",
  file: "arith/n2f_scale.sv",
  parameters,
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.ROWS * p.P * p.X_W, m_ready: 1 },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.ROWS * p.P * p.Y_W },
  },
  uses: ["n2f_pipe_valid", "n2f_requantize", "n2f_rom"],
  latencyCycles: () => 5,
  intervalCycles: () => 1,
  cycleModel: () => pipelineModel(5),
});

export type ScaleParameters = ParameterValues<typeof parameters>;

/**
 * The text of CONSTANTS: BEATS words, of lane p its factor at p*(M_W + O_W) and its offset above it.
 *
 * @param factors `[BEATS * P]`
 * @param offsets likewise, or empty for zeros
 */
export function scaleMemory(
  params: Pick<ScaleParameters, "P" | "BEATS" | "M_W" | "O_W">,
  factors: readonly bigint[],
  offsets: readonly bigint[],
): string {
  const { P, BEATS, M_W, O_W } = params;
  const words = Array.from({ length: BEATS }, (_, beat) =>
    packWord(
      Array.from({ length: P }, (_, p) => {
        const c = beat * P + p;
        const factor = BigInt.asUintN(M_W, factors[c] ?? 0n);
        return (BigInt.asUintN(O_W, offsets[c] ?? 0n) << BigInt(M_W)) | factor;
      }),
      M_W + O_W,
    ),
  );
  return memoryImage(words, P * (M_W + O_W));
}
