import { assert } from "../base/index.ts";
import { defineStreamModule, pipelineModel } from "./cycle-model.ts";
import { memoryImage, packWord } from "./memory-image.ts";
import type { ParameterValues } from "./module.ts";

const parameters = {
  P: { type: "int", min: 1 },
  ROWS: { type: "int", min: 1 },
  BEATS: { type: "int", min: 1 },
  X_W: { type: "int", min: 1 },
  X_SIGNED: { type: "bit" },
  T_W: { type: "int", min: 1 },
  Y_W: { type: "int", min: 1, max: 12 },
  THRESHOLDS: { type: "string" },
} as const;

/**
 * Thresholds: y = number of thresholds of the channel that are <= x, by binary search; 2^Y_W - 1 sorted
 * thresholds a channel (T_W bits, signed as x is), y in 0 .. 2^Y_W - 1, unsigned. Fewer thresholds: repeat
 * the one above all x, which needs T_W = X_W + 1 bits if every x is below it. Beat b of every BEATS beats has the channels b*P .. b*P + P-1.
 *
 * Streams. In: x of lane p, row r at (r*P + p)*X_W. Out: at (r*P + p)*Y_W.
 *
 * Cycles. A plain pipeline: one beat a cycle, L = 2*Y_W (`pipelineModel(2 * Y_W)`): for each bit a look-up and
 * a comparison.
 */
export const threshold = defineStreamModule({
  name: "n2f_threshold",
  file: "arith/n2f_threshold.sv",
  parameters,
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.ROWS * p.P * p.X_W, m_ready: 1 },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.ROWS * p.P * p.Y_W },
  },
  uses: ["n2f_pipe_valid"],
  latencyCycles: (p) => 2 * p.Y_W,
  intervalCycles: () => 1,
  constraint: (p) => (p.T_W < p.X_W ? `T_W=${p.T_W}, must be at least X_W=${p.X_W}` : undefined),
  cycleModel: (p) => pipelineModel(2 * p.Y_W),
});

export type ThresholdParameters = ParameterValues<typeof parameters>;

/**
 * The text of THRESHOLDS: BEATS * 2^Y_W words of P thresholds (lane p at p*T_W), word b*2^Y_W + i with the i-th
 * of its beat's channels, counted from 1; word b*2^Y_W is not used.
 *
 * @param thresholds `[BEATS * P]`, for each channel at most 2^Y_W - 1, rising
 */
export function thresholdMemory(
  params: Pick<ThresholdParameters, "P" | "BEATS" | "T_W" | "Y_W" | "X_SIGNED">,
  thresholds: readonly (readonly bigint[])[],
): string {
  const { P, BEATS, T_W, Y_W, X_SIGNED } = params;
  const never = X_SIGNED ? (1n << BigInt(T_W - 1)) - 1n : (1n << BigInt(T_W)) - 1n;
  const count = 2 ** Y_W - 1;
  assert(thresholds.length === BEATS * P, `${thresholds.length} channels, not ${BEATS * P}`);
  const words: bigint[] = [];
  for (let beat = 0; beat < BEATS; beat++) {
    const lanes = thresholds.slice(beat * P, beat * P + P);
    for (const lane of lanes) assert(lane.length <= count, `${lane.length} thresholds, Y_W=${Y_W}`);
    words.push(0n);
    for (let i = 0; i < count; i++) {
      words.push(
        packWord(
          lanes.map((lane) => lane[i] ?? never),
          T_W,
        ),
      );
    }
  }
  return memoryImage(words, P * T_W);
}
