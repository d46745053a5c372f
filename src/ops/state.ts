import { definePrimitive, Ranges } from "../ir/index.ts";

/** Which state of which loop it is. */
interface StateAttrs {
  /** Names the loop within the graph. */
  readonly loop: string;
  /** 0: the initial state. */
  readonly step: number;
  /** A cell may have several states. */
  readonly port: number;
  readonly [key: string]: string | number;
}

/**
 * What a recurrent cell begins a step with: its argument, an initial state or what the step before left. Nothing is
 * folded through it, even where the initial state is constant, and all codes of its format count as possible: so all
 * steps of a loop stay alike, and one piece of hardware may take them in turn.
 */
export const state = definePrimitive<StateAttrs>({
  name: "state",
  summary: "What a step of a recurrent cell begins with.",
  words: ["gather"],
  isState: true,
  type: ([{ shape, dtype }]) => ({ shape, dtype }),
  float: ([x]) => x,
  narrow: () => [false],
  quant: ([{ quant }]) => ({ format: quant.format, ranges: Ranges.ofFormat(quant.format) }),
  fixed: ([x]) => [...x],
  kernel: () => ({ kind: "gather" }),
});
