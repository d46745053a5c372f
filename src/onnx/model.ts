import type { Problem } from "../base/index.ts";
import type { ElementType, RefusedElementType, Tensor } from "../tensor/index.ts";

/** Oldest version of the standard operators that is read. */
export const minOpset = 6;

/** Newest version of the standard operators that is known; later ones are read with a warning. */
export const maxOpset = 23;

/** A model as its file has it, checked: names resolve, values are made once, nodes are in order. */
export interface OnnxModel {
  /** As the caller gave it; what messages put after `at`. */
  readonly path: string;
  /** Version of the file format. */
  readonly irVersion: number;
  /** Program that wrote the file, with its version: `pytorch 2.4.0`. May be empty. */
  readonly producer: string;
  /** Version of the operators of each domain; the standard's own domain is `""`. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: OnnxGraph;
  /** Operators that the model itself defines: `name`, or `domain:name`. */
  readonly localFunctions: readonly string[];
  /** What may go wrong although the file could be read. */
  readonly warnings: readonly Problem[];
  /** Set where tensors keep their numbers in other files. */
  readonly hasExternalData?: boolean;
}

/** A graph, or the body of a loop or branch, which may also read the values around it. */
export interface OnnxGraph {
  readonly name: string;
  /** Every node stands after those whose values it reads. */
  readonly nodes: readonly OnnxNode[];
  /** What the user supplies; inputs that have an initializer are constants and not listed. */
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  /** Constants by name, in the file's order. */
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  /** Types that the file notes for values inside. */
  readonly valueInfo: ReadonlyMap<string, OnnxValueInfo>;
}

export interface OnnxNode {
  /** Often empty, and not necessarily unique. */
  readonly name: string;
  /** `""` for the standard's own operators. */
  readonly domain: string;
  readonly opType: string;
  /** `""` where an optional input is left out. */
  readonly inputs: readonly string[];
  /** `""` where an optional output is not wanted. */
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/**
 * Integers are exact. The limits of int64, which exporters write for "as far as it goes", are
 * +-(2^53 - 1) here, in attributes and in tensors. Strings are UTF-8.
 */
export type OnnxAttribute =
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "tensor"; readonly value: OnnxTensor }
  | { readonly kind: "graph"; readonly value: OnnxGraph }
  | { readonly kind: "type"; readonly value: OnnxType }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensors"; readonly value: readonly OnnxTensor[] }
  | { readonly kind: "graphs"; readonly value: readonly OnnxGraph[] }
  | { readonly kind: "types"; readonly value: readonly OnnxType[] };

/** A constant. Sparse ones have been filled up with zeros. */
export interface OnnxTensor extends Tensor {
  readonly elementType: ElementType;
}

/** Element types that a file can declare; of some of them we hold no tensors. */
export type OnnxElementType =
  | ElementType
  | RefusedElementType
  | "sequence"
  | "map"
  | "optional"
  | "sparse"
  | "unknown";

/** A number; a name, the same size wherever it appears; or nothing known. */
export type OnnxDim = number | string | null;

export interface OnnxType {
  readonly elementType: OnnxElementType;
  /** Null if not even the number of axes is known. */
  readonly shape: readonly OnnxDim[] | null;
}

export interface OnnxValueInfo extends OnnxType {
  readonly name: string;
}
