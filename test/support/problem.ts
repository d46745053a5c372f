import { Nn2fpgaError, type Problem } from "../../src/base/index.ts";

/** The one problem that a call ends with, or nothing; any other exception goes on. */
export function problemOf(call: () => unknown): Problem | undefined {
  try {
    call();
  } catch (error) {
    if (!(error instanceof Nn2fpgaError) || error.problems.length !== 1) throw error;
    return error.problems[0];
  }
  return undefined;
}
