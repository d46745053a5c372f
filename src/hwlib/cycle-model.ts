import { assert } from "../base/index.ts";
import type { HardwareModule, ParameterSpecs, ParameterValues } from "./module.ts";

/**
 * What a module's handshakes do, cycle for cycle, whatever the data: the very cycles of the RTL, held
 * against it by the benches. Bit i of a mask is the i-th input or output stream of the module, in the
 * order in which its twin names them.
 */
export interface CycleModel {
  /**
   * One clock cycle.
   *
   * @param inValid inputs that offer a beat in this cycle
   * @param outReady outputs whose beat would be taken in this cycle
   * @returns `taken | given << 16`: inputs and outputs on which a transfer happens
   */
  step(inValid: number, outReady: number): number;
  /** Back to the state after `rst`. */
  reset(): void;
  /** Equal for two states only if all that follows is equal. */
  stateKey(): string;
}

/** The twin of a module whose ports are streams. */
export interface StreamModule<S extends ParameterSpecs = ParameterSpecs> extends HardwareModule<S> {
  /** What is wrong with parameters that are each in their range; undefined if nothing is. */
  constraint?(params: ParameterValues<S>): string | undefined;
  cycleModel(params: ParameterValues<S>): CycleModel;
  /** Variables of the module's formulas in `hw/cost`, beside its parameters (bits count as 0 and 1). */
  costVariables?(params: ParameterValues<S>): Readonly<Record<string, number>>;
}

/** The identity; makes the types of the parameter values from their specification. */
export function defineStreamModule<const S extends ParameterSpecs>(
  module: StreamModule<S>,
): StreamModule<S> {
  return module;
}

/** The state machine in front of a pipeline. */
export interface Front {
  /**
   * One cycle in which the pipeline moves.
   *
   * @returns `taken | emits << 16`: inputs taken, and whether a beat enters the pipeline
   */
  advance(inValid: number): number;
  reset(): void;
  stateKey(): string;
}

/**
 * A front and `stages` registers with one enable, as `n2f_pipe_valid`: everything moves in a cycle in
 * which the last register holds nothing or what it holds is taken, and stands still otherwise. A beat
 * that enters in cycle t is offered in cycle t + stages.
 */
export function pipelined(stages: number, front: Front): CycleModel {
  assert(stages >= 1 && stages <= 30, `${stages} pipeline stages, must be in 1..30`);
  const last = 1 << (stages - 1);
  let valid = 0;
  return {
    step(inValid, outReady) {
      const offers = (valid & last) !== 0;
      if (offers && (outReady & 1) === 0) return 0;
      const moved = front.advance(inValid);
      valid = ((valid & ~last) << 1) | (moved >>> 16);
      return (moved & 0xffff) | (offers ? 0x10000 : 0);
    },
    reset() {
      valid = 0;
      front.reset();
    },
    stateKey: () => `${valid}/${front.stateKey()}`,
  };
}

/**
 * A plain pipeline: takes one beat of each of its inputs at once, gives one beat `stages` cycles later.
 * The cycles of `n2f_join` before `n2f_pipe_valid`.
 */
export function pipelineModel(stages: number, inputs = 1): CycleModel {
  const all = 2 ** inputs - 1;
  return pipelined(stages, {
    advance: (inValid) => ((inValid & all) === all ? all | 0x10000 : 0),
    reset() {},
    stateKey: () => "",
  });
}

/**
 * A front whose steps run through a fixed program of `steps` steps and then begin again; a step that
 * takes waits for its beat.
 *
 * @param takes whether step i takes a beat
 * @param emits whether a beat enters the pipeline in step i
 */
export function programFront(
  steps: number,
  takes: (step: number) => boolean,
  emits: (step: number) => boolean,
): Front {
  let at = 0;
  return {
    advance(inValid) {
      const taken = takes(at);
      if (taken && (inValid & 1) === 0) return 0;
      const moved = (taken ? 1 : 0) | (emits(at) ? 0x10000 : 0);
      if (++at === steps) at = 0;
      return moved;
    },
    reset() {
      at = 0;
    },
    stateKey: () => String(at),
  };
}

/**
 * A front that takes a whole beat into a register and then works on it for `steps` steps; it takes the
 * next one in the last of them, so that `steps` cycles pass from beat to beat and none is lost.
 *
 * @param emits whether a beat enters the pipeline in step i
 */
export function sliceFront(steps: number, emits: (step: number) => boolean): Front {
  let left = 0;
  return {
    advance(inValid) {
      const emitted = left > 0 && emits(steps - left) ? 0x10000 : 0;
      if (left > 1) {
        left--;
        return emitted;
      }
      const taken = inValid & 1;
      left = taken ? steps : 0;
      return emitted | taken;
    },
    reset() {
      left = 0;
    },
    stateKey: () => String(left),
  };
}
