import { assert } from "../../base/index.ts";
import type { BinaryKernel, Operand, ValueId } from "../../ir/index.ts";
import { binaryVec, clamp, slopeVec } from "./arithmetic.ts";
import { type Coefficient, fitsCoefficient, type Scaled } from "./coefficient.ts";
import type { DataPool } from "./data-pool.ts";
import { lookupVec, planLookup } from "./lookup.ts";
import type { Node } from "./program.ts";
import { requantizeVec } from "./requantize.ts";
import { openSource, type Source } from "./source.ts";
import { planScale, planThreshold } from "./steps.ts";
import { settle, type Vec } from "./vec.ts";
import type { Places } from "./walk.ts";
import type { FunctionBuilder } from "./wasm/index.ts";

/** An element-wise operator of one vec in registers and constants. */
export interface Pointwise {
  readonly coefficients: readonly Coefficient[];
  apply(f: FunctionBuilder, x: Vec, coefficients: readonly Vec[]): Vec;
}

/** What planning an element-wise operator needs. */
export interface PointwiseContext {
  readonly pool: DataPool;
  readonly constants: ReadonlyMap<ValueId, Float64Array>;
  /** Places numbers for the elements of the loop at hand. */
  coefficient(scaled: Scaled): Coefficient;
}

/** The operator as a function of its one argument that is no constant; undefined for the identity. */
export function planPointwise(node: Node, context: PointwiseContext): Pointwise | undefined {
  const { kernel, interval } = node;
  switch (kernel.kind) {
    case "gather":
      return undefined;
    case "clamp":
      return plain((f, x) => settle(f, clamp(f, x, kernel.lo, kernel.hi), interval));
    case "requantize":
      return plain((f, x) => settle(f, requantizeVec(f, x, kernel), interval));
    case "table": {
      const table = planLookup(context.pool, kernel);
      return plain((f, x) => settle(f, lookupVec(f, x, table), interval));
    }
    case "slope":
      return {
        coefficients: [context.coefficient({ codes: perElement(node, kernel.slope), shift: 0 })],
        apply: (f, x, [slope]) => slopeVec(f, x, slope, kernel, interval),
      };
    case "binary":
      return planBinary(node, kernel, context);
    case "scale":
      return planScale(node, kernel, context);
    case "threshold":
      return planThreshold(node, kernel, context);
    default:
      throw new Error(`${kernel.kind} is not element-wise`);
  }
}

function plain(apply: (f: FunctionBuilder, x: Vec) => Vec): Pointwise {
  return { coefficients: [], apply };
}

/** One number for each element, from one for all or one for each. */
function perElement({ size }: Node, numbers: Float64Array): Float64Array {
  return numbers.length === size ? numbers : new Float64Array(size).fill(numbers[0]);
}

function planBinary(node: Node, kernel: BinaryKernel, context: PointwiseContext): Pointwise {
  const codesOf = ({ arg }: Operand) => context.constants.get(node.args[arg]);
  const isRight = codesOf(kernel.a) !== undefined;
  const [own, other] = isRight ? [kernel.b, kernel.a] : [kernel.a, kernel.b];
  const codes = codesOf(other);
  assert(codes !== undefined, `neither side of ${node.id} is constant`);
  const { scaled, shift } = constantOperand(node, other, codes);
  return {
    coefficients: [context.coefficient(scaled)],
    apply: (f, x, [constant]) => {
      const mine = [x, own.shift] as const;
      const theirs = [constant, shift] as const;
      const [a, b] = isRight ? [theirs, mine] : [mine, theirs];
      return binaryVec(f, kernel.fn, a, b, node.interval);
    },
  };
}

/** A constant side with its shift done, where the result fits a coefficient, and the shift left to do. */
export function constantOperand(
  { size }: Node,
  { index, shift }: Operand,
  codes: Float64Array,
): { scaled: Scaled; shift: number } {
  const own = index === undefined ? codes : Float64Array.from(index, (i) => codes[i]);
  assert(own.length === size, `${own.length} constants for ${size} elements`);
  const scaled = { codes: own, shift };
  return fitsCoefficient(scaled)
    ? { scaled, shift: 0 }
    : { scaled: { codes: own, shift: 0 }, shift };
}

/** Element-wise operators one after the other. */
export class Chain {
  readonly #steps: readonly Pointwise[];

  constructor(nodes: readonly Node[], context: PointwiseContext) {
    this.#steps = nodes
      .map((node) => planPointwise(node, context))
      .filter((step) => step !== undefined);
  }

  get sources(): readonly Source[] {
    return this.#steps.flatMap((step) => step.coefficients);
  }

  /** Prepares the constants of an element; the result may be applied to each vec of it. */
  open(f: FunctionBuilder, places: Places, column = 0): (x: Vec) => Vec {
    const readers = this.#steps.map((step) =>
      step.coefficients.map((coefficient) => openSource(f, coefficient, places, column)),
    );
    return (x) =>
      this.#steps.reduce(
        (vec, step, i) =>
          step.apply(
            f,
            vec,
            readers[i].map((read) => read(0)),
          ),
        x,
      );
  }
}
