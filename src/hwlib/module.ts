import { assert } from "../base/index.ts";

/** What a module's parameter accepts. A `string` is a file name, a `code` an element of a stream. */
export type ParameterSpec =
  | { readonly type: "int"; readonly min?: number; readonly max?: number }
  | { readonly type: "code" }
  | { readonly type: "bit" }
  | { readonly type: "string" };

export type ParameterSpecs = { readonly [name: string]: ParameterSpec };

type ParameterTypes = { int: number; code: number; bit: boolean; string: string };

/** A value for every parameter of a module. */
export type ParameterValues<S extends ParameterSpecs> = {
  readonly [Name in keyof S]: ParameterTypes[S[Name]["type"]];
};

/** Bits of a port; a method's type, so that a module of certain parameters is also a module of some. */
export type PortWidth<Values> = number | { widthBits(params: Values): number }["widthBits"];

/** The typed twin of a module in `hw/rtl`: all that a scheduler and an emitter must know of it. */
export interface HardwareModule<S extends ParameterSpecs = ParameterSpecs> {
  readonly name: string;
  /** Relative to `hw/rtl`. */
  readonly file: string;
  readonly parameters: S;
  readonly ports: {
    readonly inputs: { readonly [name: string]: PortWidth<ParameterValues<S>> };
    readonly outputs: { readonly [name: string]: PortWidth<ParameterValues<S>> };
  };
  /** Names of the modules that it instantiates itself. */
  readonly uses: readonly string[];
  /** Cycles from an input to its output when nothing stalls; 0 is combinational. */
  latencyCycles(params: ParameterValues<S>): number;
  /** Cycles from one input to the next when nothing stalls. */
  intervalCycles(params: ParameterValues<S>): number;
}

/** The identity; makes the types of the parameter values from their specification. */
export function defineModule<const S extends ParameterSpecs>(
  module: HardwareModule<S>,
): HardwareModule<S> {
  return module;
}

export function portWidthBits<Values>(width: PortWidth<Values>, params: Values): number {
  return typeof width === "number" ? width : width(params);
}

/** Checks names, types and ranges, as the module itself does in simulation. */
export function checkParameters<S extends ParameterSpecs>(
  module: HardwareModule<S>,
  params: ParameterValues<S>,
): void {
  const { name, parameters } = module;
  for (const key of Object.keys(params)) {
    assert(key in parameters, `${name} has no parameter ${key}`);
  }
  for (const [key, spec] of Object.entries<ParameterSpec>(parameters)) {
    const value: unknown = params[key];
    switch (spec.type) {
      case "int": {
        const { min = -(2 ** 31), max = 2 ** 31 - 1 } = spec;
        const inRange = Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
        assert(inRange, `${name}: ${key}=${value}, must be in ${min}..${max}`);
        break;
      }
      case "code":
        assert(
          Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 63,
          `${name}: ${key}=${value}, must be an integer of 64 bits`,
        );
        break;
      case "bit":
        assert(typeof value === "boolean", `${name}: ${key}=${value}, must be a boolean`);
        break;
      case "string":
        assert(
          typeof value === "string" && /^[\w./-]*$/.test(value),
          `${name}: ${key}=${value}, must be a plain file name`,
        );
        break;
    }
  }
}

/** A parameter value as SystemVerilog writes it. */
export function parameterText(value: number | boolean | string): string {
  if (typeof value === "number") {
    // Without a width a number has 32 bits.
    if (Math.abs(value) < 2 ** 31) return String(value);
    return `${value < 0 ? "-" : ""}64'sd${Math.abs(value)}`;
  }
  return typeof value === "boolean" ? `1'b${value ? 1 : 0}` : `"${value}"`;
}

/** $clog2: bits that count 0 .. n-1, and 0 for n = 1. */
export function clog2(n: number): number {
  return 32 - Math.clz32(n - 1);
}
