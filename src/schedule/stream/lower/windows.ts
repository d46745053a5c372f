import { type WindowMemParameters, windowMem, windowMemLines } from "../../../hwlib/index.ts";
import { getValue, quantOf, type ValueId } from "../../../ir/index.ts";
import { dividingLanes, lanesForRate } from "../layout.ts";
import type { Stream } from "../network-builder.ts";
import { cyclesAlone } from "../pace.ts";
import {
  columnsForRate,
  isPixel,
  type WindowGeometry,
  wideWindowBits,
  windowColumns,
} from "../window-layer.ts";
import { type Context, lutRamBits, lutRamWords } from "./context.ts";
import { takeValue } from "./take.ts";

/**
 * The windows over a value, one after the other.
 *
 * @param lanes elements of a beat that the reader wants; it also takes whole windows
 * @param byChannel channels outside, positions inside; whole windows have positions outside all the same
 * @param rows windows of a beat; more than one are whole
 */
export function windowsOf(
  context: Context,
  window: WindowGeometry,
  x: ValueId,
  padding: number,
  {
    lanes,
    byChannel = false,
    isWhole,
    rows = 1,
  }: {
    readonly lanes: number;
    readonly byChannel?: boolean;
    readonly isWhole?: boolean;
    readonly rows?: number;
  },
): Stream {
  const { places, taps, H, W, C } = window;
  const { interval } = context.options;
  const size = taps * C;
  const isPicked = taps === 1 && window.PT + window.PB + window.PL + window.PR === 0;
  if (isPixel(window) && rows > 1) return takeValue(context, x, rows * C, rows * C);
  if (isPixel(window) || (isPicked && rows === 1 && H * W <= interval)) {
    return pickedPixels(context, window, x, lanes, interval);
  }
  const format = quantOf(getValue(context.graph, x)).format;
  const { places: _places, taps: _taps, ...geometry } = window;
  const line = {
    ...geometry,
    X_W: format.width,
    PAD: padding,
  };
  const choice = columnsForRate(windowColumns(window, format.width), rows, interval);
  const wantsLine =
    rows > 1 ||
    isPicked ||
    (isWhole ?? (size * format.width <= wideWindowBits || places * taps > interval));
  const title = `windows of ${window.KH} by ${window.KW} over ${H} by ${W} by ${C}`;
  if (choice !== undefined && wantsLine) {
    const { columns, windows } = choice;
    const input = takeValue(context, x, columns * C, columns * C);
    const params = {
      ...line,
      X_W: input.widthBits,
      COLS: columns,
      // A row buffer is wide and short: LUT RAM has 32 words, block RAM 512 at least.
      STYLE: W / columns > lutRamWords ? 1 : 0,
    };
    const node = context.net.module("n2f_window_line", "window", title, params);
    context.net.connect(input, { node, port: 0 });
    const layout = {
      vectors: places / windows,
      vector: windows * size,
      lanes: windows * size,
    };
    const stream = context.net.output(node, layout, input.widthBits);
    return windows === rows ? stream : context.net.convert(stream, rows * size, rows * size);
  }
  const fewest = byChannel ? lanes : lanesForRate(places * taps, C, interval);
  const P = byChannel || isWhole ? lanes : Math.max(fewest, dividingLanes(C, lanes));
  const input = takeValue(context, x, C, P);
  const least = windowMemLines(window);
  const params = {
    ...geometry,
    X_W: input.widthBits,
    PAD: padding,
    P,
    LINES: Math.max(least, Math.min(H, least + window.SH)),
    CHANNEL_MAJOR: byChannel && isWhole !== true,
    STYLE: 0,
  };
  const lines = linesForRate(params, places * taps * (C / P), interval);
  const node = context.net.module("n2f_window_mem", "window", title, {
    ...params,
    LINES: lines,
    STYLE: lines * W * C * input.widthBits > lutRamBits ? 1 : 0,
  });
  context.net.connect(input, { node, port: 0 });
  const layout = { vectors: places, vector: size, lanes: P };
  const stream = context.net.output(node, layout, input.widthBits);
  if (isWhole) return context.net.convert(stream, size, size);
  if (byChannel) return stream;
  return context.net.convert(stream, size, lanes);
}

/**
 * Rows that the memory of windows holds: more than were planned where it would be too slow, because what comes next
 * waits until a window that reaches over all of a picture has been read.
 */
function linesForRate(params: WindowMemParameters, beats: number, cycles: number): number {
  const isQuick = (LINES: number) =>
    cyclesAlone(windowMem.cycleModel({ ...params, LINES }), 1, beats, 1) <= cycles;
  if (isQuick(params.LINES) || !isQuick(2 * params.H)) return params.LINES;
  let [low, high] = [params.LINES, 2 * params.H];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (isQuick(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** Every so-and-so-many pixel. */
function pickedPixels(
  context: Context,
  window: WindowGeometry,
  x: ValueId,
  lanes: number,
  interval: number,
): Stream {
  const { H, W, C, SH, SW, places } = window;
  if (isPixel(window)) return takeValue(context, x, C, lanes);
  const P = Math.max(lanesForRate(H * W, C, interval), dividingLanes(C, lanes));
  const input = takeValue(context, x, C, P);
  const OW = Math.floor((W - 1) / SW) + 1;
  const node = context.net.module("n2f_slice", "slice", `every pixel in ${SH} by ${SW}`, {
    WIDTH: P * input.widthBits,
    H,
    W,
    B: C / P,
    Y0: 0,
    SY: SH,
    OH: places / OW,
    X0: 0,
    SX: SW,
    OW,
  });
  context.net.connect(input, { node, port: 0 });
  const stream = context.net.output(
    node,
    { vectors: places, vector: C, lanes: P },
    input.widthBits,
  );
  return context.net.convert(stream, C, lanes);
}
