import { assert } from "../base/index.ts";
import { defineStreamModule } from "./cycle-model.ts";
import { addressBits, memoryImage } from "./memory-image.ts";

/**
 * Any order of beats: of every IN_BEATS beats taken, OUT_BEATS are given, the i-th being the ORDER[i]-th
 * taken; beats may be left out or repeated. A double buffer, so that one group is given while the next is taken.
 * STYLE 0: LUT RAM, 1: block RAM.
 *
 * Cycles. Writer: takes a beat in every cycle in which its half is empty; a half is full from the cycle after its
 * last beat, and empty again from the cycle after the step for the last beat given. Reader: a step in
 * each cycle in which its half is full and its pipeline of one register moves; every step gives a beat in the next cycle.
 */
export const reorder = defineStreamModule({
  name: "n2f_reorder",
  file: "stream/n2f_reorder.sv",
  parameters: {
    WIDTH: { type: "int", min: 1 },
    IN_BEATS: { type: "int", min: 1 },
    OUT_BEATS: { type: "int", min: 1 },
    STYLE: { type: "int", min: 0, max: 1 },
    ORDER: { type: "string" },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.WIDTH, m_ready: 1 },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.WIDTH },
  },
  uses: ["n2f_rom"],
  latencyCycles: (p) => p.IN_BEATS + 1,
  intervalCycles: (p) => Math.max(p.IN_BEATS, p.OUT_BEATS),
  cycleModel({ IN_BEATS, OUT_BEATS }) {
    let full = 0; // halves that are full: 0 .. 2
    let write = 0;
    let read = 0;
    let valid = 0;
    return {
      step(inValid, outReady) {
        const given = valid & outReady;
        const moves = valid === 0 || given === 1;
        const taken = full < 2 ? inValid & 1 : 0;
        const reads = moves && full > 0;
        if (moves) valid = reads ? 1 : 0;
        if (taken && ++write === IN_BEATS) {
          write = 0;
          full++;
        }
        if (reads && ++read === OUT_BEATS) {
          read = 0;
          full--;
        }
        return taken | (given << 16);
      },
      reset() {
        full = write = read = valid = 0;
      },
      stateKey: () => [full, write, read, valid].join(),
    };
  },
});

/** The text of ORDER. */
export function reorderMemory(inBeats: number, order: readonly number[]): string {
  for (const beat of order) {
    assert(Number.isInteger(beat) && beat >= 0 && beat < inBeats, `beat ${beat} of ${inBeats}`);
  }
  return memoryImage(order.map(BigInt), addressBits(inBeats));
}
