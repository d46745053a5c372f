import fc from "fast-check";
import { maxCode, minCode } from "../../src/fixed/index.ts";
import {
  type Attrs,
  Builder,
  constQuant,
  type Graph,
  type PrimitiveOp,
  type Quant,
  Ranges,
  type ValueId,
} from "../../src/ir/index.ts";
import { ops, precisionAttrs } from "../../src/ops/index.ts";
import { makeTensor, type Shape, sizeOf } from "../../src/tensor/index.ts";
import { arbitraryFormat, arbitraryPrecision } from "./formats.ts";
import { arbitraryShape } from "./tensors.ts";

/** One more value, made of values of the graph's shape; arguments are counted modulo what there is. */
interface StepProblem {
  readonly op: string;
  readonly args: readonly number[];
  readonly attrs: Attrs;
  readonly name: string | undefined;
}

interface LeafProblem {
  readonly name: string;
  readonly quant: Quant;
  readonly data: readonly number[];
}

/** Names as bad as models have them: quotes, line ends, letters of all scripts. */
const name = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 6 }),
  fc.constantFrom("x", 'a "quoted" name', "two\nlines", "output", "/model/fc1/Add_output_0"),
);

const anyArgs = (count: number): fc.Arbitrary<readonly number[]> =>
  fc.array(fc.nat(99), { minLength: count, maxLength: count });

const step = (op: string, count: number, attrs: fc.Arbitrary<Attrs> = fc.constant({})) =>
  fc.record({
    op: fc.constant(op),
    args: anyArgs(count),
    attrs,
    name: fc.option(name, { nil: undefined }),
  });

const bound = fc.oneof(fc.double({ noNaN: true, min: -99, max: 99 }), fc.constant(Infinity));

const primitives: fc.Arbitrary<StepProblem> = fc.oneof(
  step("add", 2),
  step("sub", 2),
  step("max", 2),
  step("min", 2),
  step("relu", 1),
  step("clip", 1, fc.record({ min: bound.map((x) => -x), max: bound })),
  step("requantize", 1, arbitraryPrecision({ maxFrac: 6 }).map(precisionAttrs)),
);

const composites: fc.Arbitrary<StepProblem> = fc.oneof(step("identity", 1), step("div", 2));

/** Float graphs of element-wise operators, over one shape. */
export const arbitraryFloatGraph: fc.Arbitrary<Graph> = graphs(
  fc.oneof(primitives, composites),
  false,
);

/** Quantized graphs of the same kind; inputs may take every code of their format. */
export const arbitraryQuantGraph: fc.Arbitrary<Graph> = graphs(primitives, true);

function graphs(steps: fc.Arbitrary<StepProblem>, isQuantized: boolean): fc.Arbitrary<Graph> {
  return arbitraryShape().chain((shape) =>
    fc
      .record({
        inputs: fc.array(leaf(shape, isQuantized), { minLength: 1, maxLength: 2 }),
        constants: fc.array(leaf(shape, isQuantized), { maxLength: 2 }),
        steps: fc.array(steps, { maxLength: 6 }),
        outputs: fc.array(fc.tuple(name, fc.nat(99)), { maxLength: 3 }),
        graphName: name,
      })
      .map(({ inputs, constants, steps: chosen, outputs, graphName }) => {
        const builder = new Builder(ops);
        const made: ValueId[] = [];
        for (const { name: wish, quant } of inputs) {
          const id = builder.freshName(wish);
          builder.from({ node: wish, type: "Input" });
          made.push(builder.input(id, { shape, dtype: "float" }, isQuantized ? quant : undefined));
        }
        for (const { name: wish, quant, data } of constants) {
          const tensor = makeTensor(shape, data);
          const codes = isQuantized ? constQuant(tensor, quant.format) : undefined;
          builder.from({ node: wish, type: "Initializer" });
          made.push(builder.constant(tensor, wish, codes));
        }
        for (const problem of chosen) made.push(apply(builder, problem, made, isQuantized));
        return builder.graph(
          graphName,
          [...outputs, ["last", made.length - 1] as const].map(([output, at]) => ({
            name: output,
            value: made[at % made.length],
          })),
        );
      }),
  );
}

function leaf(shape: Shape, isQuantized: boolean): fc.Arbitrary<LeafProblem> {
  const size = sizeOf(shape);
  return arbitraryFormat({ maxWidth: 8, maxFrac: 6 }).chain((format) =>
    fc.record({
      name,
      quant: fc.constant({ format, ranges: Ranges.ofFormat(format) }),
      data: fc.array(
        isQuantized
          ? fc.bigInt({ min: minCode(format), max: maxCode(format) }).map(Number)
          : fc.double(),
        { minLength: size, maxLength: size },
      ),
    }),
  );
}

function apply(
  builder: Builder,
  { op, args, attrs, name: wish }: StepProblem,
  made: readonly ValueId[],
  isQuantized: boolean,
): ValueId {
  builder.from({ node: wish ?? op, type: op });
  const chosen = args.map((at) => made[at % made.length]);
  if (!isQuantized) return builder.op(op, chosen, attrs, wish);
  const quants = chosen.map((id) => {
    const { shape, dtype, quant } = builder.value(id);
    return { shape, dtype, quant: quant as Quant };
  });
  const definition = ops.get(op) as PrimitiveOp;
  const { shape, dtype } = definition.type(quants, attrs);
  return builder.add({
    kind: "op",
    id: builder.freshName(wish ?? op),
    op,
    args: chosen,
    attrs,
    shape,
    dtype,
    origin: { node: wish ?? op, type: op },
    quant: definition.quant(quants, attrs),
  });
}
