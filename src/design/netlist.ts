import type { Overflow, Rounding } from "../fixed/index.ts";
import { bitsFor } from "../fixed/index.ts";
import type { Origin } from "../ir/index.ts";

declare const brand: unique symbol;
/** Numbers one wire of a netlist: nets are in an order in which each comes after what it reads. */
export type Wire = number & { readonly [brand]: "Wire" };

/** What makes a wire. All are exact on integers; every shift is written out. */
export type Net =
  | { readonly kind: "input"; readonly index: number }
  | { readonly kind: "const"; readonly value: bigint }
  /** (a << shiftA) + (b << shiftB), or minus where `subtract`. */
  | {
      readonly kind: "add";
      readonly a: Wire;
      readonly shiftA: number;
      readonly b: Wire;
      readonly shiftB: number;
      readonly subtract: boolean;
    }
  | { readonly kind: "negate"; readonly a: Wire }
  | { readonly kind: "shift_left"; readonly a: Wire; readonly shift: number }
  | { readonly kind: "mul"; readonly a: Wire; readonly b: Wire }
  | {
      readonly kind: "requantize";
      readonly a: Wire;
      readonly shift: number;
      readonly rounding: Rounding;
      readonly overflow: Overflow;
      readonly signed: boolean;
      readonly width: number;
    }
  | { readonly kind: "clamp"; readonly a: Wire; readonly lo: bigint; readonly hi: bigint }
  | { readonly kind: "extreme"; readonly fn: "max" | "min"; readonly a: Wire; readonly b: Wire }
  /** 1 where a > b, or a >= b where `orEqual`. */
  | { readonly kind: "greater"; readonly a: Wire; readonly b: Wire; readonly orEqual: boolean }
  /** a where the condition is 1, b where it is 0. */
  | { readonly kind: "choose"; readonly condition: Wire; readonly a: Wire; readonly b: Wire }
  /** Entry a - lo of the table; the entries are the codes for a = lo, lo + 1, ... */
  | {
      readonly kind: "table";
      readonly a: Wire;
      readonly lo: number;
      readonly values: Float64Array;
    };

/** A wire: what makes it, the integers it can carry, and the node of the model it belongs to. */
export interface Cell {
  readonly net: Net;
  readonly lo: bigint;
  readonly hi: bigint;
  readonly signed: boolean;
  readonly widthBits: number;
  readonly origin: Origin;
}

export interface Netlist {
  readonly cells: readonly Cell[];
  readonly inputs: readonly Wire[];
  readonly outputs: readonly Wire[];
}

/** The wires that a net reads. */
export function readsOf(net: Net): readonly Wire[] {
  switch (net.kind) {
    case "input":
    case "const":
      return [];
    case "add":
    case "mul":
    case "extreme":
    case "greater":
      return [net.a, net.b];
    case "choose":
      return [net.condition, net.a, net.b];
    default:
      return [net.a];
  }
}

/** Address bits of a table: its index is the low bits of the code, so no subtraction is needed. */
export function addressBits(entries: number): number {
  return Math.max(1, Math.ceil(Math.log2(entries)));
}

/** From this many address bits on a table is a block RAM with a register at its output. */
export const romAddressBits = 8;

/** Whether a net's result comes out of a register of its own, one cycle later. */
export function isRegistered(net: Net): boolean {
  return (
    net.kind === "mul" || (net.kind === "table" && addressBits(net.values.length) >= romAddressBits)
  );
}

/** Levels of logic (one is about a carry chain or a six-input function) from a net's inputs to its result. */
export function levelsOf(net: Net): number {
  switch (net.kind) {
    case "input":
    case "const":
    case "shift_left":
      return 0;
    case "add":
    case "negate":
    case "greater":
    case "choose":
      return 1;
    case "clamp":
      return net.lo === 0n ? 1 : 2;
    case "extreme":
    case "mul":
      return 2;
    case "requantize":
      return (net.rounding === "TRN" || net.shift <= 0 ? 0 : 1) + (net.overflow === "WRAP" ? 0 : 1);
    case "table":
      return addressBits(net.values.length) <= 6 ? 1 : 2;
  }
}

/** Builds a netlist; equal nets become one. */
export class NetBuilder {
  readonly #cells: Cell[] = [];
  readonly #levels: number[] = [];
  readonly #known = new Map<string, Wire>();
  readonly #inputs: Wire[] = [];
  #origin: Origin = { node: "", type: "" };

  /** Nets made from here on are said to belong to this node. */
  from(origin: Origin): void {
    this.#origin = origin;
  }

  cell(wire: Wire): Cell {
    return this.#cells[wire];
  }

  /** Levels of logic between the inputs and this wire, registers aside. */
  level(wire: Wire): number {
    return this.#levels[wire];
  }

  input(lo: bigint, hi: bigint): Wire {
    const wire = this.#add({ kind: "input", index: this.#inputs.length }, lo, hi, undefined);
    this.#inputs.push(wire);
    return wire;
  }

  constant(value: bigint): Wire {
    return this.#add({ kind: "const", value }, value, value, `c${value}`);
  }

  add(
    a: Wire,
    shiftA: number,
    b: Wire,
    shiftB: number,
    subtract: boolean,
    lo: bigint,
    hi: bigint,
  ): Wire {
    const key = `+${a},${shiftA},${b},${shiftB},${subtract}`;
    return this.#add({ kind: "add", a, shiftA, b, shiftB, subtract }, lo, hi, key);
  }

  negate(a: Wire): Wire {
    const { lo, hi } = this.cell(a);
    return this.#add({ kind: "negate", a }, -hi, -lo, `-${a}`);
  }

  shiftLeft(a: Wire, shift: number): Wire {
    if (shift === 0) return a;
    const { lo, hi } = this.cell(a);
    const by = BigInt(shift);
    return this.#add({ kind: "shift_left", a, shift }, lo << by, hi << by, `<${a},${shift}`);
  }

  /** Any other net; the caller knows the interval of its result. */
  net(net: Exclude<Net, { kind: "input" | "const" }>, lo: bigint, hi: bigint): Wire {
    return this.#add(net, lo, hi, netKey(net));
  }

  /** What the outputs need, in the same order; inputs stay even where nothing reads them. */
  netlist(outputs: readonly Wire[]): Netlist {
    const isNeeded = new Uint8Array(this.#cells.length);
    for (const wire of [...this.#inputs, ...outputs]) isNeeded[wire] = 1;
    for (let wire = this.#cells.length - 1; wire >= 0; wire--) {
      if (isNeeded[wire]) for (const read of readsOf(this.#cells[wire].net)) isNeeded[read] = 1;
    }
    const moved = new Int32Array(this.#cells.length);
    const cells: Cell[] = [];
    this.#cells.forEach((cell, wire) => {
      if (!isNeeded[wire]) return;
      moved[wire] = cells.length;
      cells.push({ ...cell, net: renumber(cell.net, moved) });
    });
    const at = (wire: Wire) => moved[wire] as Wire;
    return { cells, inputs: this.#inputs.map(at), outputs: outputs.map(at) };
  }

  #add(net: Net, lo: bigint, hi: bigint, key: string | undefined): Wire {
    // What can only be one number is that number.
    if (lo === hi && net.kind !== "const" && net.kind !== "input") return this.constant(lo);
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) return known;
    const wire = this.#cells.length as Wire;
    const { signed, width } = bitsFor(lo, hi);
    this.#cells.push({ net, lo, hi, signed, widthBits: width, origin: this.#origin });
    const below = readsOf(net).reduce((top, read) => Math.max(top, this.#levels[read]), 0);
    this.#levels.push(below + levelsOf(net));
    if (key !== undefined) this.#known.set(key, wire);
    return wire;
  }
}

/** The net with the wires that it reads under their new numbers. */
function renumber(net: Net, moved: Int32Array): Net {
  const at = (wire: Wire) => moved[wire] as Wire;
  switch (net.kind) {
    case "input":
    case "const":
      return net;
    case "add":
    case "mul":
    case "extreme":
    case "greater":
      return { ...net, a: at(net.a), b: at(net.b) };
    case "choose":
      return { ...net, condition: at(net.condition), a: at(net.a), b: at(net.b) };
    default:
      return { ...net, a: at(net.a) };
  }
}

function netKey(net: Net): string | undefined {
  if (net.kind === "table") return undefined;
  return JSON.stringify(net, (_key, value) => (typeof value === "bigint" ? `${value}n` : value));
}
