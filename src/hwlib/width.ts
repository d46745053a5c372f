import type { CycleModel } from "./cycle-model.ts";
import { defineStreamModule } from "./cycle-model.ts";

/**
 * Other lanes: vectors of V elements in beats of P_IN, to beats of P_OUT. Every vector begins a beat of its
 * own; the last beat of a vector is filled up with zeros where P_OUT does not divide V, and what fills the
 * last beat at the input is ignored. ROWS vectors run side by side: element p of row r at (r*P+p)*X_W.
 *
 * Cycles: a buffer of P_IN + P_OUT - G lanes, G = gcd(P_IN, P_OUT), filled and emptied in units of G. Let f
 * be the units held, and `ended` that the vector's last beat was taken. `m_valid` = f >= P_OUT/G, or
 * ended and f > 0 (registers). With f1 = what remains after the beat that is given in this cycle, a beat is
 * taken if, not ended, f1 + P_IN/G fit, and, ended, f1 = 0. So: 1 cycle from a beat that completes another to
 * the other; no bubbles where one divides the other: max(ceil(V/P_IN), ceil(V/P_OUT)) cycles a vector.
 */
export const width = defineStreamModule({
  name: "n2f_width",
  file: "stream/n2f_width.sv",
  parameters: {
    X_W: { type: "int", min: 1 },
    ROWS: { type: "int", min: 1 },
    V: { type: "int", min: 1 },
    P_IN: { type: "int", min: 1 },
    P_OUT: { type: "int", min: 1 },
  },
  ports: {
    inputs: { clk: 1, rst: 1, s_valid: 1, s_data: (p) => p.ROWS * p.P_IN * p.X_W, m_ready: 1 },
    outputs: { s_ready: 1, m_valid: 1, m_data: (p) => p.ROWS * p.P_OUT * p.X_W },
  },
  uses: [],
  latencyCycles: (p) => Math.ceil(Math.min(p.V, p.P_OUT) / p.P_IN),
  intervalCycles: (p) => Math.max(Math.ceil(p.V / p.P_IN), Math.ceil(p.V / p.P_OUT)),
  cycleModel: ({ V, P_IN, P_OUT }) => widthModel(V, P_IN, P_OUT),
});

/** The cycles of a lane converter, see `width`. */
export function widthModel(V: number, P_IN: number, P_OUT: number): CycleModel {
  const unit = gcd(P_IN, P_OUT);
  const inUnits = P_IN / unit;
  const outUnits = P_OUT / unit;
  const capacity = inUnits + outUnits - 1;
  const beats = Math.ceil(V / P_IN);
  const lastUnits = Math.ceil((V - (beats - 1) * P_IN) / unit);
  let held = 0;
  let beat = 0; // beats taken of the vector; `beats` once it has ended
  return {
    step(inValid, outReady) {
      const ended = beat === beats;
      const valid = held >= outUnits || (ended && held > 0);
      const given = valid ? outReady & 1 : 0;
      const left = given ? Math.max(0, held - outUnits) : held;
      const fits = ended ? left === 0 : left + inUnits <= capacity;
      const taken = fits ? inValid & 1 : 0;
      held = left;
      if (taken) {
        beat = ended ? 1 : beat + 1;
        held += beat === beats ? lastUnits : inUnits;
      }
      return taken | (given << 16);
    },
    reset() {
      held = 0;
      beat = 0;
    },
    stateKey: () => `${held},${beat}`,
  };
}

export function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
