import { defineStreamModule } from "./cycle-model.ts";

/** Where the first state of a recurrent layer comes from. */
export const initCode = { zeros: 0, words: 1, stream: 2 } as const;

/**
 * The state of a recurrent layer, STEPS times BEATS beats: an initial one (zeros, the words of the file STATE, or input
 * 1), then what comes back at input 0. Of that the last of every STEPS states is dropped: nothing follows it. s_valid
 * and s_ready have a bit per input, s_data holds input 0 in its lower part.
 *
 * Cycles: no register on the way. Two counters, of what came back and of what left. While the initial state leaves,
 * nothing that comes back passes; what is dropped is taken in any cycle in which it is offered, so that the next
 * sequence may begin before the last state of this one is there.
 */
export const loop = defineStreamModule({
  name: "n2f_loop",
  file: "stream/n2f_loop.sv",
  parameters: {
    WIDTH: { type: "int", min: 1 },
    BEATS: { type: "int", min: 1 },
    STEPS: { type: "int", min: 2 },
    INIT: { type: "int", min: 0, max: 2 },
    INPUTS: { type: "int", min: 1, max: 2 },
    STATE: { type: "string" },
  },
  ports: {
    inputs: {
      clk: 1,
      rst: 1,
      s_valid: (p) => p.INPUTS,
      s_data: (p) => p.INPUTS * p.WIDTH,
      m_ready: 1,
    },
    outputs: { s_ready: (p) => p.INPUTS, m_valid: 1, m_data: (p) => p.WIDTH },
  },
  uses: ["n2f_lut"],
  latencyCycles: () => 0,
  intervalCycles: (p) => p.STEPS * p.BEATS,
  constraint: ({ INIT, INPUTS }) =>
    INPUTS === (INIT === initCode.stream ? 2 : 1)
      ? undefined
      : `INPUTS=${INPUTS} with INIT=${INIT}`,
  cycleModel({ BEATS, STEPS, INIT }) {
    const total = STEPS * BEATS;
    let back = 0;
    let left = 0;
    return {
      step(inValid, outReady) {
        const offered = (inValid & 1) === 1;
        const isReady = (outReady & 1) === 1;
        const isStarting = left < BEATS;
        const isDropped = back >= total - BEATS;
        const has = isStarting
          ? INIT !== initCode.stream || (inValid & 2) === 2
          : offered && !isDropped;
        const given = has && isReady;
        const takes = offered && (isDropped || (!isStarting && isReady));
        const first = given && isStarting && INIT === initCode.stream;
        if (takes) back = back === total - 1 ? 0 : back + 1;
        if (given) left = left === total - 1 ? 0 : left + 1;
        return (takes ? 1 : 0) | (first ? 2 : 0) | (given ? 0x10000 : 0);
      },
      reset() {
        back = left = 0;
      },
      stateKey: () => `${back},${left}`,
    };
  },
});
