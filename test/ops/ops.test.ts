import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { codeToReal, maxCode, minCode } from "../../src/fixed/index.ts";
import {
  type Attrs,
  Builder,
  type CompositeOp,
  graphProblems,
  type PrimitiveOp,
  quantArgs,
} from "../../src/ir/index.ts";
import { type OpName, ops, opTable, readPrecision } from "../../src/ops/index.ts";
import { makeTensor, sizeOf, type Tensor } from "../../src/tensor/index.ts";
import { arbitraryOneOpGraph, type OneOpGraph } from "../arbitrary/one-op-graph.ts";
import { arbitraryTensor } from "../arbitrary/tensors.ts";
import { evaluateFloat } from "./evaluate.ts";
import { exactCode } from "./exact-rounding.ts";
import { loadOnnxRuntime, runTwin } from "./onnx-twin.ts";
import { type Application, problems } from "./problems.ts";

const ort = await loadOnnxRuntime();
if (ort === undefined) {
  console.warn("onnxruntime-node is not installed: `float` was NOT compared with ONNX Runtime");
}

/** Largest difference from ONNX Runtime that rounding to float32 explains, relative to its answer. */
const float32Tolerance = 1e-5;
const worst = new Map<string, number>();
afterAll(() => {
  const lines = [...worst].map(([name, error]) => `${name} ${error.toExponential(1)}`);
  if (lines.length > 0) console.info(`largest relative error of float: ${lines.join(", ")}`);
});

interface Applied extends Application {
  readonly tensors: readonly Tensor[];
}

/** An application with real numbers for its arguments. */
const arbitraryApplied = (name: OpName): fc.Arbitrary<Applied> =>
  problems[name].application.chain((application) =>
    fc
      .tuple(...application.args.map(({ shape, real }) => arbitraryTensor(shape, real)))
      .map((tensors) => ({ ...application, tensors })),
  );

describe.each(Object.keys(opTable) as OpName[])("%s", (name) => {
  const op = opTable[name];
  const { onnx, looseBecause, hasCorners, floorOfError = 0 } = problems[name];

  it("gives the type of its result", () => {
    fc.assert(
      fc.property(arbitraryApplied(name), ({ tensors, attrs }) => {
        const { shape, dtype, data } = op.float(tensors, attrs);
        expect(op.type(tensors, attrs)).toEqual({ shape, dtype });
        expect(data).toHaveLength(sizeOf(shape));
      }),
    );
  });

  if (onnx !== null) {
    it.skipIf(ort === undefined)("computes what ONNX Runtime computes", async () => {
      await fc.assert(
        fc.asyncProperty(arbitraryApplied(name), async (applied) => {
          const { tensors, attrs } = applied;
          const ours = op.float(tensors, attrs);
          const theirs = await runTwin(ort as NonNullable<typeof ort>, onnx(applied), tensors);
          expect(ours.shape).toEqual(theirs.shape);
          const error = largestError(ours, theirs, floorOfError);
          worst.set(name, Math.max(worst.get(name) ?? 0, error));
          expect(error).toBeLessThanOrEqual(float32Tolerance);
        }),
        { numRuns: 30 },
      );
    });
  }

  if (op.kind === "composite") {
    it("means the same as the primitives that it is made of", () => {
      fc.assert(
        fc.property(arbitraryApplied(name), (applied) => {
          const expected = op.float(applied.tensors, applied.attrs);
          const actual = evaluateDecomposed(op, applied);
          expect(actual.shape).toEqual(expected.shape);
          expect(largestError(actual, expected, 1e-3)).toBeLessThanOrEqual(1e-12);
        }),
      );
    });
    return;
  }

  it("proves what its codes are", () => {
    fc.assert(
      fc.property(arbitraryOneOpGraph(name), (problem) => {
        const { graph, value } = problem;
        expect(graphProblems(graph, ops)).toEqual([]);
        const { format, ranges } = value.quant as NonNullable<typeof value.quant>;
        const codes = fixedOf(op, problem);
        expect(codes).toHaveLength(sizeOf(value.shape));
        codes.forEach((code, i) => {
          expect(code >= ranges.lo(i) && code <= ranges.hi(i), `${code} at ${i}`).toBe(true);
          expect(code >= minCode(format) && code <= maxCode(format)).toBe(true);
        });
      }),
    );
  });

  it(op.lossy ? "rounds correctly" : "computes exactly", () => {
    fc.assert(
      fc.property(arbitraryOneOpGraph(name), (problem) => {
        const { args, codes, value } = problem;
        const reals = args.map(({ shape, quant }, i) =>
          makeTensor(
            shape,
            codes[i].map((code) => codeToReal(code, (quant as NonNullable<typeof quant>).format)),
          ),
        );
        const expected = Array.from(op.float(reals, value.attrs).data);
        const actual = fixedOf(op, problem);
        if (op.lossy) {
          const precision = readPrecision(value.attrs as Parameters<typeof readPrecision>[0]);
          expect(actual).toEqual(expected.map((real) => exactCode(real, precision)));
        } else {
          const { format } = value.quant as NonNullable<typeof value.quant>;
          expect(actual.map((code) => codeToReal(code, format))).toEqual(
            expected.map((real) => real + 0),
          );
        }
      }),
    );
  });

  if (looseBecause === undefined) {
    it("proves the least intervals", () => {
      fc.assert(
        fc.property(arbitraryOneOpGraph(name, { maxWidth: 3 }), (problem) => {
          const { value } = problem;
          const { overflow } = value.attrs;
          // A wrapped interval has a hole in it.
          fc.pre(overflow !== "WRAP");
          const { ranges } = value.quant as NonNullable<typeof value.quant>;
          const size = sizeOf(value.shape);
          const [lo, hi] = [new Array<bigint>(size), new Array<bigint>(size)];
          for (const codes of hasCorners ? corners(problem) : pairs(problem)) {
            fixedOf(op, { ...problem, codes }).forEach((code, i) => {
              if (lo[i] === undefined || code < lo[i]) lo[i] = code;
              if (hi[i] === undefined || code > hi[i]) hi[i] = code;
            });
          }
          const proven = Array.from({ length: size }, (_, i) => [ranges.lo(i), ranges.hi(i)]);
          expect(proven).toEqual(lo.map((low, i) => [low, hi[i]]));
        }),
        { numRuns: 40 },
      );
    });
  }
});

function fixedOf(op: PrimitiveOp, { graph, value, codes }: OneOpGraph): bigint[] {
  const quant = value.quant as NonNullable<typeof value.quant>;
  return op.fixed(codes, quantArgs(graph, value), value.attrs, quant);
}

/** Largest |a - b| / max(|b|, floor); 0 where both are the same infinity. */
function largestError(a: Tensor, b: Tensor, floor: number): number {
  let largest = 0;
  a.data.forEach((x, i) => {
    const y = b.data[i];
    if (Object.is(x, y) || x === y) return;
    const error = Math.abs(x - y) / Math.max(Math.abs(y), floor);
    largest = Number.isNaN(error) ? Infinity : Math.max(largest, error);
  });
  return largest;
}

/** Builds the primitives of a composite and evaluates them. */
function evaluateDecomposed(op: CompositeOp, { args, tensors, attrs }: Applied): Tensor {
  const build = new Builder(ops).from({ node: "node", type: op.name });
  const ids = args.map(({ isConst }, i) =>
    isConst ? build.constant(tensors[i], `x${i}`) : build.input(`x${i}`, tensors[i]),
  );
  const y = op.decompose(build, ids, attrs as Attrs);
  const graph = build.graph("decomposed", [{ name: "y", value: y }]);
  expect(graphProblems(graph, ops)).toEqual([]);
  for (const value of graph.values.values()) {
    if (value.kind === "op") expect(ops.get(value.op)?.kind).toBe("primitive");
  }
  const inputs = new Map(tensors.map((tensor, i) => [`x${i}`, tensor]));
  return evaluateFloat(graph, inputs).get("y") as Tensor;
}

type Bounds = readonly (readonly (readonly [bigint, bigint])[])[];

/** The intervals of all elements of all arguments. */
function boundsOf({ args }: OneOpGraph): Bounds {
  return args.map(({ quant, shape }) => {
    const { ranges } = quant as NonNullable<typeof quant>;
    return Array.from({ length: sizeOf(shape) }, (_, i) => [ranges.lo(i), ranges.hi(i)] as const);
  });
}

/** Every code of the second input against every code of the others, whose elements go up together. */
function* pairs(problem: OneOpGraph): Generator<readonly (readonly bigint[])[]> {
  const bounds = boundsOf(problem);
  const inputs = problem.args.flatMap(({ kind }, i) => (kind === "input" ? [i] : []));
  const [, second] = inputs;
  const stepsOf = (args: readonly number[]) =>
    Math.max(1, ...args.flatMap((arg) => bounds[arg]).map(([lo, hi]) => Number(hi - lo) + 1));
  const others = inputs.filter((arg) => arg !== second);
  for (let i = 0; i < stepsOf(others); i++) {
    for (let j = 0; j < stepsOf(inputs.slice(1, 2)); j++) {
      yield problem.codes.map((own, arg) => {
        if (!inputs.includes(arg)) return own;
        const step = BigInt(arg === second ? j : i);
        return bounds[arg].map(([lo, hi]) => (lo + step < hi ? lo + step : hi));
      });
    }
  }
}

/** Most elements of all inputs together whose corners are tried. */
const cornerLimit = 10;

/** Every element of the inputs at the low or the high end of its interval, in all combinations. */
function* corners(problem: OneOpGraph): Generator<readonly (readonly bigint[])[]> {
  const bounds = boundsOf(problem);
  const elements = problem.args.flatMap(({ kind }, arg) =>
    kind === "input" ? bounds[arg].map((_, element) => [arg, element] as const) : [],
  );
  fc.pre(elements.length <= cornerLimit);
  for (let corner = 0; corner < 2 ** elements.length; corner++) {
    const chosen = problem.codes.map((own) => [...own]);
    elements.forEach(([arg, element], i) => {
      chosen[arg][element] = bounds[arg][element][(corner >> i) & 1];
    });
    yield chosen;
  }
}
