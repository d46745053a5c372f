import { defineStreamModule, pipelined } from "./cycle-model.ts";

/**
 * Nearest neighbour: every pixel (B beats) of a picture of W columns FX times, every row FY times. With W = 1,
 * FY = 1: repeats each run of B beats FX times, which spreads a value over the beats of a pixel. STYLE 0: LUT RAM,
 * 1: block RAM, for a row (FY > 1) or a pixel.
 *
 * Cycles. One step for each beat given, in the order (row, FY, column, FX, beat), in each cycle in which the
 * pipeline of one register moves. The first of the FY*FX steps for a beat takes it and waits for it. Each
 * step gives a beat in the next cycle.
 */
export const upsample = defineStreamModule({
  name: "n2f_upsample",
  file: "stream/n2f_upsample.sv",
  parameters: {
    WIDTH: { type: "int", min: 1 },
    W: { type: "int", min: 1 },
    B: { type: "int", min: 1 },
    FY: { type: "int", min: 1 },
    FX: { type: "int", min: 1 },
    STYLE: { type: "int", min: 0, max: 1 },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.WIDTH, m_ready: 1 },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.WIDTH },
  },
  uses: [],
  latencyCycles: () => 1,
  intervalCycles: (p) => p.FY * p.FX,
  cycleModel({ W, B, FY, FX }) {
    let b = 0;
    let fx = 0;
    let x = 0;
    let fy = 0;
    return pipelined(1, {
      advance(inValid) {
        const taken = fx === 0 && fy === 0 ? 1 : 0;
        if (taken && (inValid & 1) === 0) return 0;
        if (++b === B) {
          b = 0;
          if (++fx === FX) {
            fx = 0;
            if (++x === W) {
              x = 0;
              if (++fy === FY) fy = 0;
            }
          }
        }
        return taken | 0x10000;
      },
      reset() {
        b = fx = x = fy = 0;
      },
      stateKey: () => [b, fx, x, fy].join(),
    });
  },
});
