/**
 * How a tensor of `vectors` times `vector` elements, row-major, travels: every vector in beats of `lanes`
 * elements, the last filled up with elements that mean nothing where `lanes` does not divide `vector`.
 */
export interface Layout {
  readonly vectors: number;
  readonly vector: number;
  readonly lanes: number;
}

export function elementsOf({ vectors, vector }: Layout): number {
  return vectors * vector;
}

export function beatsOf({ vectors, vector, lanes }: Layout): number {
  return vectors * Math.ceil(vector / lanes);
}

export function isPadded({ vector, lanes }: Layout): boolean {
  return vector % lanes !== 0;
}

/** The element in some lane of some beat; -1 where it is a filler. */
export function elementAt({ vector, lanes }: Layout, beat: number, lane: number): number {
  const beats = Math.ceil(vector / lanes);
  const place = (beat % beats) * lanes + lane;
  return place < vector ? Math.floor(beat / beats) * vector + place : -1;
}

/** The greatest number of lanes, at most `limit`, that divides a vector. */
export function dividingLanes(vector: number, limit: number): number {
  for (let lanes = Math.min(vector, Math.max(1, limit)); lanes > 1; lanes--)
    if (vector % lanes === 0) return lanes;
  return 1;
}

/** The fewest lanes dividing a vector with which all vectors pass in so many cycles; all of it where none do. */
export function lanesForRate(vectors: number, vector: number, cycles: number): number {
  for (let lanes = 1; lanes < vector; lanes++)
    if (vector % lanes === 0 && (vectors * vector) / lanes <= cycles) return lanes;
  return vector;
}

export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

export function leastCommonMultiple(a: number, b: number): number {
  return (a / greatestCommonDivisor(a, b)) * b;
}
