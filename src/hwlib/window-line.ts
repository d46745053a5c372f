import { defineStreamModule, type Front, pipelined } from "./cycle-model.ts";
import type { ParameterValues } from "./module.ts";
import { windowConstraint, windowOutput, windowParameters } from "./window.ts";

const parameters = {
  ...windowParameters,
  COLS: { type: "int", min: 1 },
  STYLE: { type: "int", min: 0, max: 1 },
} as const;

/**
 * Sliding window, all of it at once: COLS pixels a beat in, whole windows out. Row buffers (STYLE 0: LUT RAM,
 * 1: block RAM) hold (KH-1)*DH rows. 1-D: H = KH = 1. Elements outside of the image are PAD.
 *
 * Streams. In: H*W/COLS beats an image, pixel j of a beat at j*C*X_W (channel c at c*X_W). Out: one beat for
 * OC = max(1, COLS/SW) neighbouring outputs, OH*OW/OC beats; window i of a beat, element (ky, kx, c) at
 * (((i*KH + ky)*KW + kx)*C + c)*X_W.
 *
 * Cycles. A step in each cycle in which the pipeline (one register) moves and, for the first H*W/COLS steps of
 * an image, a beat is offered (it is taken). Padding at the left, right and top costs no steps; windows
 * reaching below the last row (or to the right of it) cost `flush` steps, which take nothing. Step t gives a
 * beat in the next cycle if a group of outputs is complete with it: `windowLinePlan` has the numbers.
 */
export const windowLine = defineStreamModule({
  name: "n2f_window_line",
  file: "nn/n2f_window_line.sv",
  parameters,
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.COLS * p.C * p.X_W, m_ready: 1 },
    outputs: {
      s_ready: 1,
      m_valid: 1,
      m_data: (p) => Math.max(1, Math.floor(p.COLS / p.SW)) * p.KH * p.KW * p.C * p.X_W,
    },
  },
  uses: [],
  latencyCycles: (p) => windowLinePlan(p).first + 1,
  intervalCycles: (p) => windowLinePlan(p).steps,
  constraint(p) {
    const problem = windowConstraint(p);
    if (problem !== undefined) return problem;
    const { OW } = windowOutput(p);
    const { outputs, groups, beats } = windowLinePlan(p);
    if (p.W % p.COLS !== 0) return `COLS=${p.COLS} must divide W=${p.W}`;
    if (p.COLS % p.SW !== 0 && p.SW % p.COLS !== 0) {
      return `one of COLS=${p.COLS} and SW=${p.SW} must divide the other`;
    }
    if (OW % outputs !== 0)
      return `${OW} outputs a row are no multiple of the ${outputs} of a beat`;
    if ((groups - 1) * windowLinePlan(p).stride >= beats) {
      return `${groups} groups of outputs a row, but ${beats} beats: too much padding`;
    }
    return undefined;
  },
  cycleModel(p) {
    return pipelined(1, windowLineFront(windowLinePlan(p)));
  },
});

export type WindowLineParameters = ParameterValues<typeof parameters>;

export interface WindowLinePlan {
  /** OC: outputs of a beat; and beats of outputs a row. */
  readonly outputs: number;
  readonly groups: number;
  readonly rows: number;
  /** Beats of a row at the input. */
  readonly beats: number;
  /** Steps from one group of outputs in a row to the next. */
  readonly stride: number;
  readonly rowStride: number;
  /** The step that gives the first beat, counted from 0. */
  readonly first: number;
  /** Steps of an image that take a beat, and all. */
  readonly taking: number;
  readonly steps: number;
  /** Distance, in pixels, from the newest pixel of the window to that of (output i, kernel column kx). */
  distance(i: number, kx: number): number;
}

/**
 * When what is complete: group g of output row r with step `first + r*rowStride*beats + g*stride`. A group that
 * reaches to the right over the row's end is complete with a beat of the next row.
 */
export function windowLinePlan(p: WindowLineParameters): WindowLinePlan {
  const { OH, OW } = windowOutput(p);
  const beats = p.W / p.COLS;
  const outputs = Math.max(1, Math.floor(p.COLS / p.SW));
  const stride = Math.max(1, Math.floor(p.SW / p.COLS));
  const groups = Math.floor(OW / outputs);
  const column = (outputs - 1) * p.SW + (p.KW - 1) * p.DW - p.PL;
  const lag = Math.floor(column / p.COLS);
  const first = ((p.KH - 1) * p.DH - p.PT) * beats + lag;
  const taking = p.H * beats;
  const last = first + (OH - 1) * p.SH * beats + (groups - 1) * stride;
  return {
    ...{ outputs, groups, rows: OH, beats, stride, rowStride: p.SH, first, taking },
    steps: Math.max(taking, last + 1),
    distance: (i, kx) => lag * p.COLS + p.COLS - 1 - i * p.SW + p.PL - kx * p.DW,
  };
}

function windowLineFront(plan: WindowLinePlan): Front {
  const { groups, rows, beats, stride, rowStride, first, taking, steps } = plan;
  let at = 0;
  let column = 0; // of the group, and row: counted from the first output on
  let row = 0;
  return {
    advance(inValid) {
      const taken = at < taking ? 1 : 0;
      if (taken && (inValid & 1) === 0) return 0;
      let emits = 0;
      if (at >= first) {
        if (
          column % stride === 0 &&
          column < groups * stride &&
          row % rowStride === 0 &&
          row < rows * rowStride
        ) {
          emits = 0x10000;
        }
        if (++column === beats) {
          column = 0;
          row++;
        }
      }
      if (++at === steps) at = column = row = 0;
      return taken | emits;
    },
    reset() {
      at = column = row = 0;
    },
    stateKey: () => String(at),
  };
}
