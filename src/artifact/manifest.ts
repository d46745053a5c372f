import type { Format, Overflow, Rounding } from "../fixed/index.ts";
import type { Shape } from "../tensor/index.ts";

/** Changes when a reader of the old one could misread the new one. */
export const manifestVersion = 1;

/** Element types of packed codes, by the names of the KServe protocol. */
export type ContainerType =
  | "INT8"
  | "INT16"
  | "INT32"
  | "INT64"
  | "UINT8"
  | "UINT16"
  | "UINT32"
  | "UINT64";

/**
 * One tensor as it travels between host and kernel. A packet is one inference: all tensors of that
 * direction one after the other, each element little-endian in its container, sign- or zero-extended.
 */
export interface PortTensor {
  readonly name: string;
  /** As the user's model has it, for one inference; a symbolic batch axis has become 1. */
  readonly shape: Shape;
  readonly format: Format;
  readonly rounding: Rounding;
  readonly overflow: Overflow;
  readonly container: ContainerType;
  readonly elementBytes: 1 | 2 | 4 | 8;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /**
   * Set where a quantized model says what its integers stand for: real = (code - zeroPoint - offset) * scale. The
   * format's `frac` is then 0.
   */
  readonly scale?: number;
  /** An integer; 0 where there is none. */
  readonly zeroPoint?: number;
  /** What is added before a real number is rounded, where that is not zero. */
  readonly offset?: number;
  /**
   * The axes, outermost first, in whose order a packet has the elements; absent: as the shape says. A stream
   * wants channels last, and the host puts them there while it converts numbers to codes.
   */
  readonly order?: readonly number[];
  /** What the numbers are to the user: real numbers, or integers as they are (class indices). */
  readonly meaning: "real" | "integer";
}

/** One AXI4-Stream: a packet takes `beats` transfers of `beatBytes` bytes; the last may be padded. */
export interface StreamPort {
  readonly beats: number;
  readonly beatBytes: number;
}

/** Device resources, in units of the vendor's primitives. */
export interface Resources {
  readonly lut: number;
  readonly ff: number;
  readonly dsp: number;
  readonly bram36: number;
}

export interface Timing {
  /** From the first input beat's transfer to the last output beat's, on an idle kernel. */
  readonly latencyCycles: number;
  /** Between the starts of two inferences at full rate. */
  readonly intervalCycles: number;
}

export interface Manifest {
  readonly manifestVersion: typeof manifestVersion;
  readonly name: string;
  readonly generator: string;
  readonly source: { readonly file: string; readonly sha256: string };
  readonly inputs: readonly PortTensor[];
  readonly outputs: readonly PortTensor[];
  readonly kernel: {
    readonly architecture: "parallel" | "stream";
    /** Name of the Verilog module, and of its file `rtl/TOP.sv`. */
    readonly top: string;
    readonly clockMhz: number;
    readonly reuse: number;
    readonly maxLevels: number;
    readonly inputStream: StreamPort;
    readonly outputStream: StreamPort;
    readonly predicted: Timing;
    readonly resources: Resources;
    /** Verilog files in the order in which tools want them, relative to `rtl/`. */
    readonly sources: readonly string[];
  };
  /** What Verilator measured when the bundle was last verified. */
  readonly measured?: Timing & { readonly simulator: string };
  /** Every other file of the bundle. Paths use `/`. */
  readonly files: Readonly<Record<string, { readonly sha256: string; readonly sizeBytes: number }>>;
}

/** Bytes of one packet of the given tensors, before padding to whole beats. */
export function packetBytes(tensors: readonly PortTensor[]): number {
  return tensors.reduce((sum, tensor) => sum + tensor.sizeBytes, 0);
}

/** Fixed places inside a bundle. */
export const bundlePaths = {
  manifest: "manifest.json",
  rtl: "rtl",
  /** The quantized graph's text form, and its large constants. */
  network: "network/network.n2fg",
  weights: "network/weights.bin",
  emulator: "emulator/network.wasm",
  goldenInputs: "golden/inputs.bin",
  goldenOutputs: "golden/outputs.bin",
  /** Real inputs as float32, inference after inference, for the comparison with the float model. */
  samples: "golden/samples.f32",
  /** The user's model as it was. */
  model: "source/model.onnx",
  /** Where `--until` split the model: what follows the kernel. */
  rest: "source/rest.onnx",
  compileReport: "report/compile.json",
  /** Error and cost by layer, where `--precision auto` chose the widths. */
  precisionPicture: "report/precision.svg",
} as const;
