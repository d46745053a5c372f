import fc from "fast-check";
import type { Format } from "../../src/fixed/index.ts";
import {
  type Attrs,
  Builder,
  type ConstValue,
  constQuant,
  type Graph,
  type InputValue,
  type OpValue,
  type PrimitiveOp,
  quantArgs,
  type Ranges,
  type ValueId,
} from "../../src/ir/index.ts";
import { type OpName, ops, opTable } from "../../src/ops/index.ts";
import { makeTensor, sizeOf } from "../../src/tensor/index.ts";
import { type Application, problems } from "../ops/problems.ts";
import { arbitraryFormat } from "./formats.ts";
import { arbitraryCodes, arbitraryRanges } from "./ranges.ts";

/** A quantized graph of one operator, and codes for its inputs. */
export interface OneOpGraph {
  readonly graph: Graph;
  /** The value that the operator makes; the graph's only output, called `y`. */
  readonly value: OpValue;
  /** Inputs and constants in the order of the operator's arguments: `x0`, `x1`, ... */
  readonly args: readonly (InputValue | ConstValue)[];
  /** A code for each element of each argument, constants included, inside the proven intervals. */
  readonly codes: readonly (readonly bigint[])[];
}

/** Operators that have codes. */
export const primitiveNames = (Object.keys(opTable) as OpName[]).filter(
  (name) => opTable[name].kind === "primitive",
);

export interface OneOpLimits {
  /** Widest format of an argument. */
  readonly maxWidth?: number;
}

/** Quantized graphs of one primitive operator with every shape, attribute and format it has problems for. */
export function arbitraryOneOpGraph(
  name: OpName,
  { maxWidth = 20 }: OneOpLimits = {},
): fc.Arbitrary<OneOpGraph> {
  const { application, formats, quantAttrs } = problems[name];
  return application.chain((applied) =>
    (formats ?? anyFormats(name))(applied, { maxWidth }).chain((chosen) =>
      fc
        .record({
          attrs: quantAttrs?.(applied.attrs, chosen) ?? fc.constant(applied.attrs),
          args: fc.tuple(
            ...applied.args.map(({ shape }, i) => {
              const size = sizeOf(shape);
              return arbitraryRanges(chosen[i], size).chain((ranges) =>
                fc.record({ ranges: fc.constant(ranges), codes: arbitraryCodes(ranges, size) }),
              );
            }),
          ),
        })
        .map(({ attrs, args }) => build(name, applied, attrs, chosen, args)),
    ),
  );
}

const anyFormats =
  (name: OpName) =>
  ({ args }: Application, { maxWidth }: { maxWidth: number }): fc.Arbitrary<readonly Format[]> => {
    const { alignPoints } = opTable[name] as PrimitiveOp;
    return fc
      .tuple(...args.map(() => arbitraryFormat({ maxWidth })))
      .map((list) =>
        list.map((format) => (alignPoints ? { ...format, frac: list[0].frac } : format)),
      );
  };

function build(
  name: OpName,
  { args }: Application,
  attrs: Attrs,
  formats: readonly Format[],
  values: readonly { ranges: Ranges; codes: readonly bigint[] }[],
): OneOpGraph {
  const builder = new Builder(ops);
  const ids = args.map(({ shape, isConst }, i): ValueId => {
    const { ranges, codes } = values[i];
    const format = formats[i];
    const id = `x${i}`;
    if (!isConst) {
      return builder
        .from({ node: id, type: "Input" })
        .input(id, { shape, dtype: "float" }, { format, ranges });
    }
    const data = makeTensor(shape, codes.map(Number));
    return builder
      .from({ node: id, type: "Initializer" })
      .constant(data, id, constQuant(data, format));
  });
  const y = builder.from({ node: "node", type: name }).op(name, ids, attrs, "y");
  const bare = builder.graph("one op", [{ name: "y", value: y }]);
  const op = opTable[name] as PrimitiveOp;
  const made = bare.values.get(y) as OpValue;
  const value = { ...made, quant: op.quant(quantArgs(bare, made), attrs) };
  return {
    graph: { ...bare, values: new Map(bare.values).set(y, value) },
    value,
    args: ids.map((id) => bare.values.get(id) as InputValue | ConstValue),
    codes: values.map(({ codes }) => codes),
  };
}
