import { fail } from "../../base/index.ts";
import { shapeText } from "../../tensor/index.ts";
import { Formula } from "./formula.ts";
import type { NodeView } from "./node-view.ts";
import { type Activation, readActivations } from "./recurrent-activation.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";

/*
 * Recurrent layers, unrolled over their sequence, whose length is known. What does not depend on the state,
 * the input's product with its weights, is one matrix product for the whole sequence. Initial and final
 * states are ordinary values, so a stream keeps its state through inputs and outputs of the network. Each step
 * begins with a `state`, takes its row of the product, and all its results are joined in the order of the steps,
 * which is the form in which the schedule of streams knows a loop again (`findLoops`).
 */

/** The weights of one direction, turned so that they stand on the right of a product. */
interface Direction {
  /** [input, gates * hidden] */
  readonly w: Operand;
  /** [hidden, gates * hidden] */
  readonly r: Operand;
  /** [gates * hidden] each; of the input and of the state. */
  readonly wb: Operand | undefined;
  readonly rb: Operand | undefined;
  readonly activations: readonly Activation[];
  readonly isBackward: boolean;
  readonly index: number;
}

/** The state from one step to the next, [batch, hidden] each. */
interface State {
  readonly h: Operand;
  readonly c?: Operand;
}

/** One step: x is the input's product with its weights, [batch, gates * hidden]. */
type Step = (x: Operand, state: State) => State;

interface Cell {
  readonly op: string;
  readonly gates: number;
  readonly activations: readonly string[];
  /** Whether the bias of the state may be added along with that of the input. */
  joinsBias(node: NodeView): boolean;
  step(f: Formula, node: NodeView, direction: Direction, hidden: number): Step;
}

/** Parts of equal length along the last axis. */
const parts = (f: Formula, x: Operand, count: number): Operand[] => {
  const axis = x.shape.length - 1;
  const length = x.shape[axis] / count;
  return Array.from({ length: count }, (_, i) => f.slice(x, axis, i * length, length));
};

const clipping = (f: Formula, node: NodeView): Activation => {
  const limit = node.float("clip", 0);
  return limit > 0 ? (x) => f.apply("clip", x, { min: -limit, max: limit }) : (x) => x;
};

const rnn: Cell = {
  op: "RNN",
  gates: 1,
  activations: ["Tanh"],
  joinsBias: () => true,
  step: (f, node, { r, activations: [act] }) => {
    const clip = clipping(f, node);
    return (x, { h }) => ({ h: act(clip(f.add(x, f.matmul(h, r)))) });
  },
};

/** Gates in the order update, reset, hidden. */
const gru: Cell = {
  op: "GRU",
  gates: 3,
  activations: ["Sigmoid", "Tanh"],
  joinsBias: (node) => !node.flag("linear_before_reset", false),
  step: (f, node, { r, rb, activations: [gate, act] }, hidden) => {
    const clip = clipping(f, node);
    const isLinearFirst = node.flag("linear_before_reset", false);
    const [columns, rest] = [f.slice(r, 1, 0, 2 * hidden), f.slice(r, 1, 2 * hidden, hidden)];
    return (x, { h }) => {
      const [xz, xr, xh] = parts(f, x, 3);
      if (isLinearFirst) {
        const all = f.matmul(h, r);
        const [hz, hr, hh] = parts(f, rb === undefined ? all : f.add(all, rb), 3);
        const z = gate(clip(f.add(xz, hz)));
        const candidate = act(clip(f.add(xh, f.mul(gate(clip(f.add(xr, hr))), hh))));
        return { h: f.add(candidate, f.mul(z, f.sub(h, candidate))) };
      }
      const [hz, hr] = parts(f, f.matmul(h, columns), 2);
      const z = gate(clip(f.add(xz, hz)));
      const reset = f.mul(gate(clip(f.add(xr, hr))), h);
      const candidate = act(clip(f.add(xh, f.matmul(reset, rest))));
      return { h: f.add(candidate, f.mul(z, f.sub(h, candidate))) };
    };
  },
};

/** Gates in the order input, output, forget, cell; peepholes in the order input, output, forget. */
const lstm: Cell = {
  op: "LSTM",
  gates: 4,
  activations: ["Sigmoid", "Tanh", "Tanh"],
  joinsBias: () => true,
  step: (f, node, { r, activations: [gate, act, out], index }, hidden) => {
    const clip = clipping(f, node);
    const isCoupled = node.flag("input_forget", false);
    const all = node.optional(7);
    const peepholes =
      all === undefined
        ? undefined
        : parts(f, f.reshape(f.slice(all, 0, index, 1), [3 * hidden]), 3);
    const peep = (x: Operand, which: number, c: Operand): Operand =>
      peepholes === undefined ? x : f.add(x, f.mul(c, peepholes[which]));
    return (x, { h, c: before }) => {
      const c = before as Operand;
      const [xi, xo, xf, xc] = parts(f, f.add(x, f.matmul(h, r)), 4);
      const i = gate(clip(peep(xi, 0, c)));
      const forget = isCoupled ? f.sub(1, i) : gate(clip(peep(xf, 2, c)));
      const next = f.add(f.mul(forget, c), f.mul(i, act(clip(xc))));
      const o = gate(clip(peep(xo, 1, next)));
      return { h: f.mul(o, out(next)), c: next };
    };
  },
};

/** What both directions share. */
interface Layer {
  readonly f: Formula;
  readonly node: NodeView;
  readonly cell: Cell;
  /** [sequence, batch, input] */
  readonly x: Operand;
  readonly hidden: number;
  /** Lengths of the sequences in the batch, where they differ from that of x. */
  readonly lengths: readonly number[] | undefined;
}

function readDirection(
  { f, node, cell, hidden }: Layer,
  index: number,
  isBackward: boolean,
): Direction {
  const one = (operand: Operand): Operand =>
    f.reshape(f.slice(operand, 0, index, 1), operand.shape.slice(1));
  const [w, r] = [one(node.input(1)), one(node.input(2))];
  const rows = cell.gates * hidden;
  if (w.shape[0] !== rows || r.shape[0] !== rows || r.shape[1] !== hidden)
    fail("N2F_OP_ATTRIBUTE", `weights of shape ${shapeText(r.shape)} do not fit ${hidden} units`);
  const bias = node.optional(3);
  const [wb, rb] = bias === undefined ? [] : parts(f, one(bias), 2);
  const activations = readActivations(f, node, cell.activations, index);
  const turned = { w: f.transpose(w, [1, 0]), r: f.transpose(r, [1, 0]) };
  return { ...turned, wb, rb, activations, isBackward, index };
}

/** The state as that of a loop. */
function begin(f: Formula, { h, c }: State, loop: string, step: number): State {
  const one = (x: Operand, port: number) => f.apply("state", x, { loop, step, port });
  return { h: one(h, 0), ...(c && { c: one(c, 1) }) };
}

/** The other way round along the first axis. */
function reversed(f: Formula, x: Operand): Operand {
  if (x.shape[0] === 1) return x;
  return f.apply("slice", x, {
    starts: x.shape.map((n, i) => (i === 0 ? n - 1 : 0)),
    steps: x.shape.map((_, i) => (i === 0 ? -1 : 1)),
    counts: x.shape,
  });
}

/** Runs one direction: the state after each step, in the order of the steps, and the last one. */
function run(
  layer: Layer,
  direction: Direction,
  initial: State,
): { steps: Operand[]; last: State } {
  const { f, node, cell, x, hidden, lengths } = layer;
  const [length, batch] = x.shape;
  const { w, wb, rb, isBackward } = direction;
  const bias = wb !== undefined && rb !== undefined && cell.joinsBias(node) ? f.add(wb, rb) : wb;
  const product = f.matmul(x, w);
  const inputs = bias === undefined ? product : f.add(product, bias);
  const step = cell.step(f, node, direction, hidden);
  const steps: Operand[] = [];
  const ordered = isBackward ? reversed(f, inputs) : inputs;
  let state = initial;
  for (let i = 0; i < length; i++) {
    const t = isBackward ? length - 1 - i : i;
    const at = f.reshape(f.slice(ordered, 0, i, 1), [batch, cell.gates * hidden]);
    if (x.kind !== "const" && length > 1 && lengths === undefined)
      state = begin(f, state, `${f.node}.${direction.index}`, i);
    const next = step(at, state);
    const isInside = lengths?.map((own) => Number(t < own)) ?? [];
    if (!isInside.includes(0)) {
      steps.push(next.h);
      state = next;
      continue;
    }
    // Behind the end of a sequence nothing comes out, and its state stays.
    const inside = f.constant(isInside, [batch, 1], "bool");
    steps.push(f.mask(next.h, inside));
    const { c } = next;
    state = {
      h: f.choose(inside, next.h, state.h),
      ...(c && { c: f.choose(inside, c, state.c as Operand) }),
    };
  }
  return { steps, last: state };
}

const turnLayout = (f: Formula, x: Operand, isBatchFirst: boolean): Operand =>
  isBatchFirst ? f.transpose(x, [1, 0, 2]) : x;

function recurrent(cell: Cell): Rule {
  return defineRule({
    op: cell.op,
    import: (node, context) => {
      const f = new Formula(context);
      const isBatchFirst = node.flag("layout", false);
      const way = node.string("direction", "forward");
      const lengths = node.optionalIntegers(4, "the list of lengths");
      for (const operand of [node.input(0), node.input(1), node.input(2)]) {
        if (operand.shape.length !== 3)
          fail(
            "N2F_OP_ATTRIBUTE",
            `${shapeText(operand.shape)} has not the three axes of ${cell.op}`,
          );
      }
      const x = turnLayout(f, node.input(0), isBatchFirst);
      const hidden = node.int("hidden_size", node.input(2).shape.at(-1));
      const [length, batch] = x.shape;
      const layer: Layer = {
        f,
        node,
        cell,
        x,
        hidden,
        lengths: lengths?.every((n) => n === length) ? undefined : lengths,
      };
      const backward = way === "bidirectional" ? [false, true] : [way === "reverse"];
      const initial = (given: Operand | undefined, index: number): Operand => {
        if (given === undefined) return f.zeros([batch, hidden]);
        return f.reshape(f.slice(turnLayout(f, given, isBatchFirst), 0, index, 1), [batch, hidden]);
      };
      const runs = backward.map((isBackward, index) =>
        run(layer, readDirection(layer, index, isBackward), {
          h: initial(node.optional(5), index),
          ...(cell === lstm && { c: initial(node.optional(6), index) }),
        }),
      );
      const last = (of: (state: State) => Operand): Operand => {
        const all = runs.map((one) => f.reshape(of(one.last), [1, batch, hidden]));
        return turnLayout(f, f.concat(all, 0), isBatchFirst);
      };
      const outputs: Operand[] = [
        joinSteps(
          f,
          runs.map(({ steps }, index) => ({ steps, isBackward: backward[index] })),
          isBatchFirst,
        ),
        last(({ h }) => h),
      ];
      if (cell === lstm) outputs.push(last(({ c }) => c as Operand));
      return outputs;
    },
  });
}

/** [sequence, directions, batch, hidden], or with the batch in front. */
function joinSteps(
  f: Formula,
  runs: readonly { readonly steps: readonly Operand[]; readonly isBackward: boolean }[],
  isBatchFirst: boolean,
): Operand {
  const ways = runs.map(({ steps, isBackward }) => {
    const [batch, hidden] = steps[0].shape;
    const rows = steps.map((h) => f.reshape(h, [1, batch, hidden]));
    const joined = f.concat(rows, 0);
    const turned = isBackward ? reversed(f, joined) : joined;
    return f.reshape(turned, [steps.length, 1, batch, hidden]);
  });
  const joined = f.concat(ways, 1);
  return isBatchFirst ? f.transpose(joined, [2, 0, 1, 3]) : joined;
}

export const recurrentRules: readonly Rule[] = [recurrent(gru), recurrent(lstm), recurrent(rnn)];
