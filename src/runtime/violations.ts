/** What a bench can find wrong with a kernel's streams, in the words of a report. */
export const violations = {
  lastWrong: "tlast came at the wrong beat, or not at the last",
  validDropped: "tvalid fell before the beat was taken",
  dataChanged: "tdata or tlast changed before the beat was taken",
  tooMany: "more came out than had gone in",
  unknownBits: "unknown bits (x) came out",
} as const;

export interface Deadlock {
  readonly count: number;
  readonly accepted: number;
  readonly done: number;
  readonly idleCycles: number;
}

/** A kernel that stands still although packets are due. */
export function stuckText({ count, accepted, done, idleCycles }: Deadlock): string {
  return `the kernel got stuck: ${accepted} of ${count} packets went in and ${done} came out, then nothing moved for ${idleCycles} cycles`;
}

/** Cycles without any transfer after which a kernel counts as stuck; stalls of 99 % are far below. */
export function idleLimitCycles(timing: {
  readonly latencyCycles: number;
  readonly intervalCycles: number;
}): number {
  return 2000 + 20 * (timing.latencyCycles + timing.intervalCycles);
}
