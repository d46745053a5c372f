import { fail } from "../../base/index.ts";
import {
  type WindowParameters,
  windowConstraint,
  windowLine,
  windowLinePlan,
  windowOutput,
} from "../../hwlib/index.ts";
import { type OpValue, originText } from "../../ir/index.ts";
import type { Shape } from "../../tensor/index.ts";

/** A window that slides over `[N, ...spatial, C]`; one spatial axis counts as one row. */
export interface WindowGeometry extends Omit<WindowParameters, "X_W" | "PAD"> {
  /** Windows of one inference. */
  readonly places: number;
  /** Positions in a window. */
  readonly taps: number;
}

/** @throws N2F_OP_UNSUPPORTED for windows that no module makes */
export function windowGeometry(value: OpValue, shape: Shape): WindowGeometry {
  const numbers = (name: string) => value.attrs[name] as readonly number[];
  const [kernel, strides, dilations, pads] = ["kernel", "strides", "dilations", "pads"].map(
    numbers,
  );
  const refuse = (message: string, hint: string) =>
    fail("N2F_OP_UNSUPPORTED", message, { at: originText(value.origin), hint });
  const rank = kernel.length;
  if (rank > 2 || shape[0] !== 1) {
    return refuse(
      `windows over ${rank} axes of ${shape[0]} pictures have no stream module`,
      "Windows over one or two spatial axes, of one picture an inference, can be streamed.",
    );
  }
  const pair = (of: readonly number[], absent: number): [number, number] =>
    rank === 2 ? [of[0], of[1]] : [absent, of[0]];
  const [KH, KW] = pair(kernel, 1);
  const [SH, SW] = pair(strides, 1);
  const [DH, DW] = pair(dilations, 1);
  const [PT, PL] = pair(pads.slice(0, rank), 0);
  const [PB, PR] = pair(pads.slice(rank), 0);
  const [H, W] = rank === 2 ? [shape[1], shape[2]] : [1, shape[1]];
  const C = shape[rank + 1];
  const parameters = { H, W, C, KH, KW, SH, SW, DH, DW, PT, PB, PL, PR };
  const problem = windowConstraint({ ...parameters, X_W: 1, PAD: 0 });
  if (problem !== undefined) {
    return refuse(problem, "Use a smaller padding, or --architecture parallel.");
  }
  const { OH, OW } = windowOutput({ ...parameters, X_W: 1, PAD: 0 });
  return { ...parameters, places: OH * OW, taps: KH * KW };
}

/** Bits of the windows of one beat, at most. */
export const wideWindowBits = 8192;

/** How a picture may come: so many neighbouring pixels of a row in a beat. */
export interface WindowColumns {
  readonly columns: number;
  /** Neighbouring windows that are complete at once. */
  readonly windows: number;
  /** Cycles that a picture takes. */
  readonly steps: number;
}

/** All numbers of columns with which whole windows can be made, the fewest first; none where they cannot. */
export function windowColumns(window: WindowGeometry, widthBits: number): WindowColumns[] {
  const { places, taps, ...geometry } = window;
  const choices: WindowColumns[] = [];
  for (let columns = 1; columns <= window.W; columns++) {
    const line = { ...geometry, X_W: widthBits, PAD: 0, COLS: columns, STYLE: 0 };
    if (window.W % columns !== 0 || windowLine.constraint?.(line) !== undefined) continue;
    const { outputs, steps } = windowLinePlan(line);
    const isNarrow = outputs * taps * window.C * widthBits <= wideWindowBits;
    if (columns === 1 || isNarrow) choices.push({ columns, windows: outputs, steps });
  }
  return choices;
}

/**
 * The fewest columns with which windows, a multiple of `rows` of them in a beat, come within so many cycles; where
 * none do, those that take the fewest.
 */
export function columnsForRate(
  choices: readonly WindowColumns[],
  rows: number,
  cycles: number,
): WindowColumns | undefined {
  const some = choices.filter(({ windows }) => windows % rows === 0);
  const quick = some.find(({ steps }) => steps <= cycles);
  return (
    quick ??
    some.reduce<WindowColumns | undefined>(
      (best, choice) => (best === undefined || choice.steps < best.steps ? choice : best),
      undefined,
    )
  );
}

/** Whether a window is just the pixel: no module is needed. */
export function isPixel({ KH, KW, SH, SW, PT, PB, PL, PR }: WindowGeometry): boolean {
  return KH * KW * SH * SW === 1 && PT + PB + PL + PR === 0;
}
