import type { Kernel } from "../../ir/index.ts";

/** A frame of equal codes around pictures, as `n2f_pad` puts it. */
export interface Framing {
  /** Elements of a pixel. */
  readonly run: number;
  readonly pictures: number;
  readonly rows: number;
  /** Pixels of a row. */
  readonly pixels: number;
  readonly above: number;
  readonly below: number;
  readonly left: number;
  readonly right: number;
}

/**
 * The frame that a padding is, where it is one: along one axis, or two that are neighbours.
 *
 * @param from shape of the argument
 */
export function framingOf(
  { source, index }: Extract<Kernel, { kind: "gather" }>,
  from: readonly number[],
  to: readonly number[],
): Framing | undefined {
  if (source !== undefined || index === undefined || from.length !== to.length) return undefined;
  const grown = from.flatMap((extent, axis) => (to[axis] === extent ? [] : [axis]));
  const x = grown.at(-1);
  if (x === undefined || grown.length > 2 || grown.some((axis) => axis < x - 1)) return undefined;
  const hasRows = grown.length === 2;
  const product = (extents: readonly number[]) => extents.reduce((a, b) => a * b, 1);
  const run = product(from.slice(x + 1));
  const [rows, pixels] = [hasRows ? from[x - 1] : 1, from[x]];
  const [toRows, toPixels] = [hasRows ? to[x - 1] : 1, to[x]];
  // The first pixel stands behind the frame's rows above and its pixels at the left.
  const first = index.findIndex((one) => one >= 0);
  const above = Math.floor(first / (toPixels * run));
  const left = Math.floor(first / run) % toPixels;
  const framing = {
    run,
    pictures: product(from.slice(0, hasRows ? x - 1 : x)),
    ...{ rows, pixels, above, left },
    below: toRows - rows - above,
    right: toPixels - pixels - left,
  };
  return first >= 0 && isFraming(index, framing) ? framing : undefined;
}

function isFraming(index: Int32Array, of: Framing): boolean {
  const { run, pictures, rows, pixels, above, below, left, right } = of;
  let [at, next] = [0, 0];
  for (let picture = 0; picture < pictures; picture++)
    for (let row = 0; row < above + rows + below; row++)
      for (let pixel = 0; pixel < left + pixels + right; pixel++) {
        const isIn = row >= above && row < above + rows && pixel >= left && pixel < left + pixels;
        for (let i = 0; i < run; i++) if (index[at++] !== (isIn ? next++ : -1)) return false;
      }
  return at === index.length;
}
