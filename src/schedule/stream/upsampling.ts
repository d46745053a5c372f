import type { Kernel } from "../../ir/index.ts";

/** Nearest neighbours, as `n2f_upsample` makes them: each run of `run` elements so often, and each row of runs. */
export interface Upsampling {
  /** Elements of a pixel. */
  readonly run: number;
  /** Pixels of a row. */
  readonly pixels: number;
  readonly rows: number;
  readonly factorX: number;
  readonly factorY: number;
}

/**
 * The upsampling that an order of elements is, where it is one: of the columns, or of the rows, or of both.
 *
 * @param from shape of the argument, channels last
 */
export function upsamplingOf(
  { source, index }: Extract<Kernel, { kind: "gather" }>,
  from: readonly number[],
  to: readonly number[],
): Upsampling | undefined {
  if (source !== undefined || index === undefined || from.length !== to.length) return undefined;
  const grown = from.flatMap((extent, axis) => (to[axis] === extent ? [] : [axis]));
  if (grown.length < 1 || grown.length > 2) return undefined;
  const factors = grown.map((axis) => to[axis] / from[axis]);
  if (!factors.every((factor) => Number.isInteger(factor) && factor > 1)) return undefined;
  const [y, x] = grown;
  if (x !== undefined && x !== y + 1) return undefined;
  const product = (extents: readonly number[]) => extents.reduce((a, b) => a * b, 1);
  const after = product(from.slice(y + 1));
  const geometry =
    x === undefined
      ? // One axis: its elements are runs that come several times, as the pixels of rows.
        {
          run: after,
          pixels: from[y],
          rows: product(from.slice(0, y)),
          factorX: factors[0],
          factorY: 1,
        }
      : {
          run: product(from.slice(x + 1)),
          pixels: from[x],
          rows: product(from.slice(0, x)),
          factorX: factors[1],
          factorY: factors[0],
        };
  return isUpsampling(index, geometry) ? geometry : undefined;
}

function isUpsampling(index: Int32Array, of: Upsampling): boolean {
  const { run, pixels, rows, factorX, factorY } = of;
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (let copy = 0; copy < factorY; copy++) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        const first = (row * pixels + pixel) * run;
        for (let again = 0; again < factorX; again++) {
          for (let i = 0; i < run; i++) if (index[at++] !== first + i) return false;
        }
      }
    }
  }
  return at === index.length;
}
