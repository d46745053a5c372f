import { fail } from "../../base/index.ts";
import type { ElementType } from "../element.ts";

/** What readers of data files call when the bytes are not what the format says. */
export type Damaged = (what: string, hint?: string) => never;

/** Throws N2F_DATA_FORMAT for one file. */
export function damaged(path: string): Damaged {
  return (what, hint = "The file is damaged or incomplete; write or fetch it again.") =>
    fail("N2F_DATA_FORMAT", what, { at: path, hint });
}

/** Throws N2F_DATA_FORMAT for a 64-bit integer that a double would round. */
export function refuseWide(refuse: Damaged): (value: bigint) => never {
  return (value) =>
    refuse(
      `the number ${value} is beyond 2^53 and would lose digits`,
      "Use numbers between -(2^53 - 1) and 2^53 - 1.",
    );
}

/** Throws N2F_DATA_FORMAT for a number that the type of a file to be written cannot hold. */
export function refuseMisfit(type: ElementType, refuse: Damaged): (value: number) => never {
  return (value) =>
    refuse(`${value} does not fit into ${type}`, "Choose a type that holds every number.");
}
