import { assert, fail } from "../../base/index.ts";
import { type Attrs, isExact, isProduct, type Origin, weightMatrices } from "../../ir/index.ts";
import { ops } from "../../ops/index.ts";
import { maxElements, type Shape, shapeText, sizeOf, type Tensor } from "../../tensor/index.ts";
import type { ComputedOperand, ConstOperand, Operand } from "./rule.ts";

/** One application of one of our operators. */
export interface Step {
  readonly op: string;
  readonly args: readonly Operand[];
  readonly attrs: Attrs;
  readonly result: ComputedOperand;
}

/** Most elements that all constants together have which are worked out here: 2 GiB of doubles. */
export const maxFoldedElements = 2 ** 28;

/** Most numbers that a rule lists one by one for a node: indices of what is taken, entries of a matrix. */
const maxListed = 2 ** 24;

/** Most multiplications of one product of constants: a second or two. */
const maxFoldedMacs = 2 ** 29;

/** What a rule makes its result with. Nothing comes into the graph until the whole rule has succeeded. */
export class RuleContext {
  /** Version of the operators of the node's domain. */
  readonly opset: number;
  readonly #origin: Origin;
  readonly #spare: number;
  readonly #steps: Step[] = [];
  #macs = 0;

  /** @param spare elements that constants which are made here may have */
  constructor(opset: number, origin: Origin, spare = maxFoldedElements) {
    this.opset = opset;
    this.#origin = origin;
    this.#spare = spare;
  }

  /** The steps so far, each after those whose results it takes. */
  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** The node's name in the model. */
  get node(): string {
    return this.#origin.node;
  }

  /** Multiplications of matrix products so far, for one inference. */
  get macs(): number {
    return this.#macs;
  }

  constant(data: Tensor, suffix = "const"): ConstOperand {
    const { shape, dtype } = data;
    const name = `${this.#origin.node}.${suffix}`;
    return { kind: "const", shape, dtype, data, origin: this.#origin, name };
  }

  /** A constant whose numbers are part of a quantized model's meaning. */
  exactConstant(data: Tensor, suffix = "const"): ConstOperand {
    return { ...this.constant(data, suffix), exact: true };
  }

  /**
   * Applies one of our operators. Where all arguments are constants, so is the result.
   * @throws what the operator says of impossible arguments
   * @throws N2F_ONNX_SHAPE where a tensor without elements would come into the network
   */
  apply(op: string, args: readonly Operand[], attrs: Attrs = {}): Operand {
    const definition = ops.get(op);
    assert(definition !== undefined, `no operator ${op}`);
    const type = definition.type(
      args.map(({ shape, dtype }) => ({ shape, dtype })),
      attrs,
    );
    const constants = args.filter((arg) => arg.kind === "const");
    const isState = definition.kind === "primitive" && definition.isState === true;
    if (constants.length === args.length && !isState) {
      this.checkFolded(type.shape);
      if (isProduct(op)) checkMacs(op, args, type.shape);
      const data = definition.float(
        constants.map((arg) => arg.data),
        attrs,
      );
      return constants.every(isExact) ? this.exactConstant(data, op) : this.constant(data, op);
    }
    checkSize(type.shape, maxElements);
    for (const { shape } of [...args, type]) if (sizeOf(shape) === 0) refuseEmpty(shape);
    const result: ComputedOperand = { kind: "computed", ...type };
    this.#steps.push({ op, args, attrs, result });
    return result;
  }

  /** To be asked before a constant is worked out. @throws N2F_ONNX_SHAPE where it would be too large */
  checkFolded(shape: Shape): void {
    checkSize(shape, this.#spare);
  }

  /** To be asked before so many indices or entries of a matrix are listed. @throws N2F_ONNX_SHAPE for too many */
  checkListed(count: number): void {
    if (count <= maxListed) return;
    fail("N2F_ONNX_SHAPE", `its result would be made of a list of ${count} numbers`, {
      hint: `Up to ${maxListed} are worked out for a node; check the shapes, scales and sizes that it is given.`,
    });
  }

  /** Adds to the multiplications of matrix products. */
  countMacs(count: number): void {
    this.#macs += count;
  }
}

/** @throws N2F_ONNX_SHAPE for more elements than `most` */
function checkSize(shape: Shape, most: number): void {
  if (sizeOf(shape) <= most) return;
  fail("N2F_ONNX_SHAPE", `a tensor of shape ${shapeText(shape)} is too large`, {
    hint: `The constants of a network have up to ${maxFoldedElements} elements in all; a larger one does not fit any device.`,
  });
}

/** @throws N2F_ONNX_SHAPE for a product of constants that takes too long to be worked out here */
function checkMacs(op: string, [a, b]: readonly Operand[], result: Shape): void {
  const terms = weightMatrices(op, b.shape)?.rows ?? a.shape.at(-1) ?? 1;
  const macs = sizeOf(result) * terms;
  if (macs <= maxFoldedMacs) return;
  fail("N2F_ONNX_SHAPE", `a product of constants takes ${macs} multiplications`, {
    hint: `Up to ${maxFoldedMacs} are done here; check the shapes, or put the result into the model as an initializer.`,
  });
}

function refuseEmpty(shape: Shape): never {
  return fail("N2F_ONNX_SHAPE", `a tensor of shape ${shapeText(shape)} has no elements`, {
    hint: "Remove this part of the network; it computes nothing.",
  });
}
