import { type CycleModel, defineStreamModule } from "./cycle-model.ts";
import type { ParameterValues } from "./module.ts";
import { windowConstraint, windowOutput, windowParameters } from "./window.ts";

const parameters = {
  ...windowParameters,
  P: { type: "int", min: 1 },
  LINES: { type: "int", min: 1 },
  CHANNEL_MAJOR: { type: "bit" },
  STYLE: { type: "int", min: 0, max: 1 },
} as const;

/**
 * Sliding window, P channels at a time: a circular memory of LINES rows, written and read at the same time.
 * CB = C/P beats a pixel. STYLE 0: LUT RAM, 1: block RAM.
 *
 * Streams. In: H*W*CB beats of P channels. Out: OH*OW*KH*KW*CB beats of P channels; of an output pixel in the
 * order (ky, kx, cb), cb fastest, or with CHANNEL_MAJOR in the order (cb, ky, kx). Outside of the image: PAD.
 *
 * Cycles. Writer: takes a beat in every cycle in which fewer than LINES full rows are held (a register) and the
 * image it writes is the reader's or the next one. A row is held from the cycle after its last beat until
 * the cycle after the step that ends the last output row needing it: after output row r < OH-1, rows before
 * (r+1)*SH - PT are let go; after the last, all of the image. Reader: one step in each cycle in which its pipeline of
 * two registers moves and the last real pixel of the output's window was written in an earlier cycle:
 * row min(oy*SH - PT + (KH-1)*DH, H-1), column min(ox*SW - PL + (KW-1)*DW, W-1), all CB beats; for the last
 * output of an image, its last pixel. Every step gives a beat two cycles later.
 */
export const windowMem = defineStreamModule({
  name: "n2f_window_mem",
  file: "nn/n2f_window_mem.sv",
  parameters,
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.P * p.X_W, m_ready: 1 },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.P * p.X_W },
  },
  uses: [],
  latencyCycles: (p) => {
    const { OH, OW } = windowOutput(p);
    if (OH * OW === 1) return p.H * p.W * (p.C / p.P) + 2;
    const row = Math.min((p.KH - 1) * p.DH - p.PT, p.H - 1);
    const column = Math.min((p.KW - 1) * p.DW - p.PL, p.W - 1);
    return (row * p.W + column + 1) * (p.C / p.P) + 2;
  },
  intervalCycles: (p) => {
    const { OH, OW } = windowOutput(p);
    return Math.max(p.H * p.W, OH * OW * p.KH * p.KW) * (p.C / p.P);
  },
  constraint(p) {
    const problem = windowConstraint(p);
    if (problem !== undefined) return problem;
    if (p.C % p.P !== 0) return `P=${p.P} must divide C=${p.C}`;
    const least = windowMemLines(p);
    return p.LINES < least ? `LINES=${p.LINES}, must be at least ${least}` : undefined;
  },
  cycleModel: windowMemModel,
});

export type WindowMemParameters = ParameterValues<typeof parameters>;

/** The least LINES: the rows of a window. SH more let the writer run ahead by a row of outputs. */
export function windowMemLines(p: Pick<WindowMemParameters, "H" | "KH" | "DH">): number {
  return Math.min(p.H, (p.KH - 1) * p.DH + 1);
}

function windowMemModel(p: WindowMemParameters): CycleModel {
  const { H, W, KH, KW, SH, SW, DH, DW, PT, PL, LINES } = p;
  const CB = p.C / p.P;
  const { OH, OW } = windowOutput(p);
  const stepsPerPixel = KH * KW * CB;
  const isLast = (oy: number, ox: number) => oy === OH - 1 && ox === OW - 1;
  const needRow = (oy: number, ox: number) =>
    isLast(oy, ox) ? H - 1 : Math.min(oy * SH - PT + (KH - 1) * DH, H - 1);
  const needColumn = (oy: number, ox: number) =>
    isLast(oy, ox) ? W - 1 : Math.min(ox * SW - PL + (KW - 1) * DW, W - 1);
  const firstNeeded = (oy: number) => (oy < OH ? Math.min(H, Math.max(0, oy * SH - PT)) : H);
  // Writer: position, and by how many images it is ahead of the reader (0 or 1; 2 = must wait).
  let cb = 0;
  let wx = 0;
  let wy = 0;
  let ahead = 0;
  let lines = 0; // full rows held; below 0 where rows that no window needs are let go before they come
  // Reader.
  let step = 0;
  let ox = 0;
  let oy = 0;
  let valid = 0;
  return {
    step(inValid, outReady) {
      const canWrite = lines < LINES && ahead < 2;
      const offers = (valid & 2) !== 0;
      const moves = !offers || (outReady & 1) !== 0;
      const row = needRow(oy, ox);
      const column = needColumn(oy, ox);
      const written = ahead > 0 || wy > row || (wy === row && wx > column);
      const reads = moves && written;
      const given = offers && moves ? 0x10000 : 0;
      if (moves) valid = ((valid << 1) & 3) | (reads ? 1 : 0);
      const taken = canWrite ? inValid & 1 : 0;
      if (taken && ++cb === CB) {
        cb = 0;
        if (++wx === W) {
          wx = 0;
          lines++;
          if (++wy === H) {
            wy = 0;
            ahead++;
          }
        }
      }
      if (reads && ++step === stepsPerPixel) {
        step = 0;
        if (++ox === OW) {
          ox = 0;
          lines -= firstNeeded(oy + 1) - firstNeeded(oy);
          if (++oy === OH) {
            oy = 0;
            ahead--;
          }
        }
      }
      return taken | given;
    },
    reset() {
      cb = wx = wy = ahead = lines = step = ox = oy = valid = 0;
    },
    stateKey: () => [cb, wx, wy, ahead, lines, step, ox, oy, valid].join(),
  };
}
