/** One figure that a scenario is for, and what it must be. */
export interface Finding {
  readonly name: string;
  readonly value: string;
  readonly wanted: string;
  readonly isMet: boolean;
}
