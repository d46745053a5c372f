import type {
  Cell,
  EngineSegment,
  Field,
  Netlist,
  ParallelDesign,
  PipelineSegment,
  StreamElement,
} from "../../src/design/index.ts";
import { limit, shiftRound } from "../../src/fixed/index.ts";

/**
 * What a hardware plan computes, read off the plan itself: big integers, one cell after the other, no
 * cycles. Every wire is held against its interval, and against the bits that it has.
 */
export function interpretDesign(design: ParallelDesign, inputs: readonly bigint[]): bigint[] {
  let vector = joinElements(design.input.elements, inputs);
  for (const segment of design.segments) {
    vector =
      segment.kind === "pipeline" ? runPipeline(segment, vector) : runEngine(segment, vector);
  }
  return design.output.elements.map(({ offsetBits, containerBits, signed }) =>
    readField(vector, { offsetBits, widthBits: containerBits, signed }),
  );
}

/** The numbers of all wires of a netlist. @throws RangeError where one leaves its interval */
export function interpretNetlist({ cells }: Netlist, inputs: readonly bigint[]): bigint[] {
  const numbers: bigint[] = [];
  cells.forEach((cell, wire) => {
    const number = interpretCell(cell, numbers, inputs);
    if (number < cell.lo || number > cell.hi) {
      const what = `wire ${wire} (${cell.net.kind}) is ${number}`;
      throw new RangeError(`${what}, outside ${cell.lo}..${cell.hi}`);
    }
    numbers.push(number);
  });
  return numbers;
}

function interpretCell(
  { net }: Cell,
  numbers: readonly bigint[],
  inputs: readonly bigint[],
): bigint {
  switch (net.kind) {
    case "input":
      return inputs[net.index];
    case "const":
      return net.value;
    case "add": {
      const [a, b] = [numbers[net.a] << BigInt(net.shiftA), numbers[net.b] << BigInt(net.shiftB)];
      return net.subtract ? a - b : a + b;
    }
    case "negate":
      return -numbers[net.a];
    case "shift_left":
      return numbers[net.a] << BigInt(net.shift);
    case "mul":
      return numbers[net.a] * numbers[net.b];
    case "requantize": {
      const { signed, width } = net;
      const rounded = shiftRound(numbers[net.a], net.shift, net.rounding);
      return limit(rounded, { signed, width, frac: 0 }, net.overflow);
    }
    case "clamp": {
      const raised = numbers[net.a] < net.lo ? net.lo : numbers[net.a];
      return raised > net.hi ? net.hi : raised;
    }
    case "extreme": {
      const isFirst =
        net.fn === "max" ? numbers[net.a] > numbers[net.b] : numbers[net.a] < numbers[net.b];
      return isFirst ? numbers[net.a] : numbers[net.b];
    }
    case "greater": {
      const [a, b] = [numbers[net.a], numbers[net.b]];
      return a > b || (net.orEqual && a === b) ? 1n : 0n;
    }
    case "choose":
      return numbers[net.condition] === 1n ? numbers[net.a] : numbers[net.b];
    case "table":
      return BigInt(net.values[Number(numbers[net.a]) - net.lo]);
  }
}

function runPipeline(
  { netlist, inputs, inputBits, outputs, outputBits }: PipelineSegment,
  vector: bigint,
): bigint {
  // The Verilog takes as many bits as the wire has, from where the field begins.
  const given = inputs.map(({ offsetBits }, i) => {
    const { widthBits, signed } = netlist.cells[netlist.inputs[i]];
    return readField(vector, { offsetBits, widthBits, signed });
  });
  expectInside(inputs, inputBits);
  expectInside(outputs, outputBits);
  const numbers = interpretNetlist(netlist, given);
  return outputs.reduce(
    (joined, field, i) => joined | writeField(numbers[netlist.outputs[i]], field),
    0n,
  );
}

/** y = W x + b for each row, and beside it what passes by. */
function runEngine(
  { params, weights, bias, passBits, inputBits }: EngineSegment,
  vector: bigint,
): bigint {
  const { ROWS, K_STEPS, SIMD, N_STEPS, PE, X_W, X_SIGNED, ACC_W } = params;
  const [k, n] = [K_STEPS * SIMD, N_STEPS * PE];
  let joined = 0n;
  for (let row = 0; row < ROWS; row++) {
    const x = Array.from({ length: k }, (_, i) =>
      readField(vector, { offsetBits: (row * k + i) * X_W, widthBits: X_W, signed: X_SIGNED }),
    );
    for (let column = 0; column < n; column++) {
      const own = weights[column] ?? [];
      const sum = own.reduce((total, weight, i) => total + weight * x[i], bias[column] ?? 0n);
      const offsetBits = (row * n + column) * ACC_W;
      joined |= writeField(sum, { offsetBits, widthBits: ACC_W, signed: true });
    }
  }
  const pass = BigInt.asUintN(passBits, vector >> BigInt(inputBits - passBits));
  return joined | (pass << BigInt(ROWS * n * ACC_W));
}

function joinElements(elements: readonly StreamElement[], codes: readonly bigint[]): bigint {
  return elements.reduce(
    (joined, { offsetBits, containerBits, signed }, i) =>
      joined | writeField(codes[i], { offsetBits, widthBits: containerBits, signed }),
    0n,
  );
}

function readField(vector: bigint, { offsetBits, widthBits, signed }: Field): bigint {
  const bits = vector >> BigInt(offsetBits);
  return signed ? BigInt.asIntN(widthBits, bits) : BigInt.asUintN(widthBits, bits);
}

function writeField(number: bigint, { offsetBits, widthBits }: Field): bigint {
  return BigInt.asUintN(widthBits, number) << BigInt(offsetBits);
}

function expectInside(fields: readonly Field[], bits: number): void {
  const outside = fields.find((field) => field.offsetBits + field.widthBits > bits);
  if (outside !== undefined) {
    throw new RangeError(`a field at ${outside.offsetBits} reaches beyond ${bits} bits`);
  }
}
