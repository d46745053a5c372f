import { assert, unreachable } from "../../base/index.ts";
import type { Cell, Net, Wire } from "../../design/index.ts";

/** How an expression names another wire in the cycle in which it is read. */
export type NameOf = (wire: Wire) => string;

/** A number as an unsigned literal of a width, two's complement. */
export function literal(value: bigint, widthBits: number): string {
  return `${widthBits}'h${BigInt.asUintN(widthBits, value).toString(16)}`;
}

/**
 * A wire's number in exactly `widthBits` bits: extended by its own sign or cut. All operands of an
 * expression get one width this way, so that nothing depends on the rules for mixed signs.
 */
export function resize(name: string, cell: Cell, widthBits: number): string {
  if (cell.net.kind === "const") return literal(cell.net.value, widthBits);
  if (cell.widthBits === widthBits) return name;
  return cell.widthBits < widthBits ? `${widthBits}'(${name})` : `${name}[${widthBits - 1}:0]`;
}

function shifted(text: string, shift: number): string {
  return shift === 0 ? text : `(${text} << ${shift})`;
}

/** Bits in which two numbers can be compared, and whether as signed ones. */
function common(a: Cell, b: Cell): { signed: boolean; widthBits: number } {
  const signed = a.signed || b.signed;
  const bits = (cell: Cell) => cell.widthBits + (signed && !cell.signed ? 1 : 0);
  return { signed, widthBits: Math.max(bits(a), bits(b)) };
}

function compare(aName: string, a: Cell, bName: string, b: Cell, relation: string): string {
  const { signed, widthBits } = common(a, b);
  const [left, right] = [resize(aName, a, widthBits), resize(bName, b, widthBits)];
  return signed ? `$signed(${left}) ${relation} $signed(${right})` : `${left} ${relation} ${right}`;
}

/** The nets that are one expression; the others are instances of modules. */
export type ExpressionNet = Exclude<Net, { kind: "input" | "const" | "table" | "mul" }>;

/** Whether a net is a mere selection of bits, although it is a requantization. */
export function isSlice(net: Net): boolean {
  return (
    net.kind === "requantize" &&
    net.overflow === "WRAP" &&
    (net.rounding === "TRN" || net.shift <= 0)
  );
}

/** The right side of a net's assignment, in as many bits as the wire has. */
export function expression(
  net: ExpressionNet,
  cell: Cell,
  cells: readonly Cell[],
  nameOf: NameOf,
): string {
  const { widthBits } = cell;
  const operand = (wire: Wire, width = widthBits) => resize(nameOf(wire), cells[wire], width);
  switch (net.kind) {
    case "add": {
      const [a, b] = [shifted(operand(net.a), net.shiftA), shifted(operand(net.b), net.shiftB)];
      return `${a} ${net.subtract ? "-" : "+"} ${b}`;
    }
    case "negate":
      // Yosys reads -9'(n) as a cast to -9 bits.
      return `-(${operand(net.a)})`;
    case "shift_left":
      return shifted(operand(net.a), net.shift);
    case "clamp":
      return clampText(net, cell, cells[net.a], nameOf(net.a));
    case "extreme": {
      const relation = net.fn === "max" ? ">" : "<";
      const test = compare(nameOf(net.a), cells[net.a], nameOf(net.b), cells[net.b], relation);
      return `(${test}) ? ${operand(net.a)} : ${operand(net.b)}`;
    }
    case "greater": {
      const relation = net.orEqual ? ">=" : ">";
      return compare(nameOf(net.a), cells[net.a], nameOf(net.b), cells[net.b], relation);
    }
    case "choose":
      return `${nameOf(net.condition)}[0] ? ${operand(net.a)} : ${operand(net.b)}`;
    case "requantize":
      assert(isSlice(net), "rounding is a module's work");
      return sliceText(net.shift, widthBits, cells[net.a], nameOf(net.a));
    default:
      return unreachable(net);
  }
}

function clampText(
  net: Extract<Net, { kind: "clamp" }>,
  cell: Cell,
  from: Cell,
  name: string,
): string {
  const { widthBits } = cell;
  const low = literal(net.lo, widthBits);
  const high = literal(net.hi, widthBits);
  const inside = resize(name, from, widthBits);
  const bound = (value: bigint, relation: string) => {
    // One bit more than the wire has holds any bound that can act.
    const width = from.widthBits + 1;
    const [x, limit] = [resize(name, from, width), literal(value, width)];
    return `$signed(${x}) ${relation} $signed(${limit})`;
  };
  const belowTest =
    net.lo === 0n && from.signed ? `${name}[${from.widthBits - 1}]` : bound(net.lo, "<");
  const capped = from.hi > net.hi ? `(${bound(net.hi, ">")}) ? ${high} : ${inside}` : inside;
  return from.lo < net.lo ? `(${belowTest}) ? ${low} : ${capped}` : capped;
}

/** The bits of a wire from `shift` up, in `widthBits` bits. */
function sliceText(shift: number, widthBits: number, from: Cell, name: string): string {
  if (shift <= 0) return shifted(resize(name, from, widthBits), -shift);
  const kept = from.widthBits - shift;
  if (kept <= 0) {
    return from.signed ? `{${widthBits}{${name}[${from.widthBits - 1}]}}` : literal(0n, widthBits);
  }
  const top = Math.min(from.widthBits, shift + widthBits) - 1;
  const slice = `${name}[${top}:${shift}]`;
  if (top - shift + 1 === widthBits) return slice;
  return from.signed ? `${widthBits}'($signed(${slice}))` : `${widthBits}'(${slice})`;
}
