import type { ActiveRequest } from "../core/active-request.ts";
import type { DeviceLane } from "./lane.ts";
import type { RunTimes } from "./recorder.ts";

/** Rows of one request in a run. */
export interface RunPart {
  readonly request: ActiveRequest;
  readonly firstRow: number;
  readonly rows: number;
}

/** A model on one compute unit: packs the rows of many requests, runs them, gives each its own back. */
export interface Executor {
  /** Rows of one run, at most; infinite where a request is never split. */
  readonly maxRows: number;
  /** Whether rows of several requests can stand in one run. */
  readonly isBatching: boolean;
  readonly lane: DeviceLane;
  /** Reads the parts' inputs and fills their outputs. @throws Nn2fpgaError, ServeError */
  run(parts: readonly RunPart[], rows: number): Promise<RunTimes>;
  close(): Promise<void>;
}
