/**
 * Time that one level of logic (a carry chain of 20 bits or a LUT, with its route) is given: what hls4ml
 * and da4ml designs of this kind reach on UltraScale+ at speed grade -2.
 */
const nsPerLevel = 0.8;

/** Levels of logic that fit into one period of the clock. */
export function levelsForClock(clockMhz: number): number {
  return Math.max(2, Math.floor(1000 / clockMhz / nsPerLevel));
}
