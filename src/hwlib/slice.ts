import { defineStreamModule } from "./cycle-model.ts";

/**
 * Part of a picture of H*W*B beats (row, column, beat): rows Y0 + i*SY, i < OH, columns X0 + j*SX, j < OW, and all
 * B beats of their pixels; the others are dropped. Also the window of a 1x1 kernel with strides.
 *
 * Cycles: no register on the way. A beat that stays passes when the output is ready; one that is dropped is taken
 * in any cycle in which it is offered.
 */
export const slice = defineStreamModule({
  name: "n2f_slice",
  file: "stream/n2f_slice.sv",
  parameters: {
    WIDTH: { type: "int", min: 1 },
    H: { type: "int", min: 1 },
    W: { type: "int", min: 1 },
    B: { type: "int", min: 1 },
    Y0: { type: "int", min: 0 },
    SY: { type: "int", min: 1 },
    OH: { type: "int", min: 1 },
    X0: { type: "int", min: 0 },
    SX: { type: "int", min: 1 },
    OW: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.WIDTH, m_ready: 1 },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.WIDTH },
  },
  uses: [],
  latencyCycles: () => 0,
  intervalCycles: (p) => p.H * p.W * p.B,
  constraint(p) {
    if (p.Y0 + (p.OH - 1) * p.SY >= p.H) return `row ${p.Y0 + (p.OH - 1) * p.SY} of ${p.H}`;
    if (p.X0 + (p.OW - 1) * p.SX >= p.W) return `column ${p.X0 + (p.OW - 1) * p.SX} of ${p.W}`;
    return undefined;
  },
  cycleModel({ H, W, B, Y0, SY, OH, X0, SX, OW }) {
    const row = Uint8Array.from({ length: H }, (_, y) => kept(y, Y0, SY, OH));
    const column = Uint8Array.from({ length: W }, (_, x) => kept(x, X0, SX, OW));
    let b = 0;
    let x = 0;
    let y = 0;
    return {
      step(inValid, outReady) {
        if ((inValid & 1) === 0) return 0;
        const keeps = row[y] & column[x];
        if (keeps && (outReady & 1) === 0) return 0;
        if (++b === B) {
          b = 0;
          if (++x === W) {
            x = 0;
            if (++y === H) y = 0;
          }
        }
        return 1 | (keeps << 16);
      },
      reset() {
        b = x = y = 0;
      },
      stateKey: () => `${b},${x},${y}`,
    };
  },
});

function kept(at: number, first: number, step: number, count: number): number {
  const place = (at - first) / step;
  return place >= 0 && Number.isInteger(place) && place < count ? 1 : 0;
}
