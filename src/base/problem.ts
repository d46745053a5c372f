/**
 * Every mistake a user can meet, in alphabetical order. Each has a paragraph in `docs/errors.md`;
 * a test keeps the two in step.
 */
export const problemCodes = [
  "N2F_BENCH_SERVER",
  "N2F_BUNDLE_CORRUPT",
  "N2F_BUNDLE_SCHEMA",
  "N2F_COMPARE_MISMATCH",
  "N2F_CONFIG_INVALID",
  "N2F_DATA_FORMAT",
  "N2F_DATA_SHAPE",
  "N2F_DESIGN_DEADLOCK",
  "N2F_DESIGN_SIZE",
  "N2F_FILE_READ",
  "N2F_FILE_WRITE",
  "N2F_FORMAT_RANGE",
  "N2F_GRAPH_INVALID",
  "N2F_GRAPH_TEXT",
  "N2F_ONNX_CORRUPT",
  "N2F_ONNX_DTYPE",
  "N2F_ONNX_EXTERNAL",
  "N2F_ONNX_OPSET",
  "N2F_ONNX_SHAPE",
  "N2F_OP_ATTRIBUTE",
  "N2F_OP_UNSUPPORTED",
  "N2F_OPTION_INVALID",
  "N2F_PRECISION_TARGET",
  "N2F_REFERENCE_FAILED",
  "N2F_SERVE_LISTEN",
  "N2F_SERVE_NO_MODEL",
  "N2F_SERVE_REMOTE",
  "N2F_SIMULATION_FAILED",
  "N2F_TOOL_FAILED",
  "N2F_TOOL_MISSING",
] as const;

export type ProblemCode = (typeof problemCodes)[number];

/** A problem is data until someone reads it. */
export interface Problem {
  readonly code: ProblemCode;
  /** What is wrong, with the offending values in it. One sentence, lower case, no full stop. */
  readonly message: string;
  /** Where, in the words of the user's model or command line: `conv3 (Conv), accumulator`. */
  readonly at?: string;
  /** The thing to change and what will happen then. A sentence. */
  readonly hint?: string;
}

/** Thrown at the public edge; holds all problems that were found, not only the first. */
export class Nn2fpgaError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: Problem | readonly Problem[], options?: { cause?: unknown }) {
    const list = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem];
    super(list.map(renderProblem).join("\n"), options);
    this.name = "Nn2fpgaError";
    this.problems = list;
  }
}

/** A problem as a user reads it, on up to three lines. */
export function renderProblem(problem: Problem): string {
  const lines = [`${problem.code}: ${problem.message}`];
  if (problem.at !== undefined) lines.push(`  at ${problem.at}`);
  if (problem.hint !== undefined) lines.push(`  hint: ${problem.hint}`);
  return lines.join("\n");
}

/** Throws one problem. */
export function fail(
  code: ProblemCode,
  message: string,
  more: { at?: string; hint?: string; cause?: unknown } = {},
): never {
  const { at, hint, cause } = more;
  throw new Nn2fpgaError(
    { code, message, ...(at !== undefined && { at }), ...(hint !== undefined && { hint }) },
    cause === undefined ? undefined : { cause },
  );
}

/** What can only be our own mistake. The message asks for a report. */
export class InternalError extends Error {
  constructor(message: string) {
    super(`${message} (this is a fault of nn2fpga; please report it)`);
    this.name = "InternalError";
  }
}

/** Marks a branch that the types say cannot be taken. */
export function unreachable(value: never): never {
  throw new InternalError(`unexpected value ${JSON.stringify(value)}`);
}

/** Checks what only a fault of our own can break. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InternalError(message);
}

/**
 * Runs several steps that may each fail and reports all failures together.
 * @throws Nn2fpgaError with every problem that the steps threw
 */
export function collect<T, R>(items: Iterable<T>, step: (item: T) => R): R[] {
  const results: R[] = [];
  const problems: Problem[] = [];
  for (const item of items) {
    try {
      results.push(step(item));
    } catch (error) {
      if (!(error instanceof Nn2fpgaError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new Nn2fpgaError(problems);
  return results;
}
