/** Throughput against the number of clients, by clients. */
export interface CurvePoint {
  readonly clients: number;
  readonly perSecond: number;
}

export interface Knee {
  /** Requests a second where more clients bring no more. */
  readonly plateau: number;
  /** Where the straight line of few clients meets the plateau. */
  readonly clients: number;
}

/**
 * The knee of a closed loop. Few clients do not disturb each other, so throughput rises in proportion to
 * their number; the line through the origin is fitted (least squares) to the points below half of the
 * plateau, or to the first where there are none.
 *
 * @param points at least one, ascending by clients
 */
export function kneeOf(points: readonly CurvePoint[]): Knee {
  const plateau = Math.max(...points.map(({ perSecond }) => perSecond));
  const rising = points.filter(({ perSecond }) => perSecond < plateau / 2);
  const fitted = rising.length > 0 ? rising : points.slice(0, 1);
  const slope =
    fitted.reduce((sum, { clients, perSecond }) => sum + clients * perSecond, 0) /
    fitted.reduce((sum, { clients }) => sum + clients * clients, 0);
  return { plateau, clients: slope === 0 ? 0 : plateau / slope };
}
