import { fail } from "../../base/index.ts";
import { sizeOf, stridesOf } from "../../tensor/index.ts";
import { Formula } from "./formula.ts";
import { defineRule, type Operand, type Rule } from "./rule.ts";

/** A value and a label for each of its axes. */
interface Labelled {
  readonly x: Operand;
  readonly labels: readonly string[];
}

/** Labels of inputs and output. Axes that `...` stands for are called 0, 1, ... from the last one. */
function parse(equation: string, inputs: readonly Operand[]) {
  const [left, right] = equation.replaceAll(/\s/g, "").split("->");
  const terms = left.split(",");
  const wrong = (): never =>
    fail("N2F_OP_ATTRIBUTE", `the equation ${equation} does not fit the inputs`);
  if (terms.length !== inputs.length) wrong();
  const labelsOf = (term: string, rank: number): string[] => {
    const [before, after] = term.split("...");
    const named = [...before, ...(after ?? "")].length;
    const hidden = after === undefined ? 0 : rank - named;
    const dots = Array.from({ length: Math.max(hidden, 0) }, (_, i) => `${hidden - 1 - i}`);
    return [...before, ...dots, ...(after ?? "")];
  };
  const operands = terms.map((term, i): Labelled => {
    const labels = labelsOf(term, inputs[i].shape.length);
    if (labels.length !== inputs[i].shape.length) wrong();
    return { x: inputs[i], labels };
  });
  const all = operands.flatMap(({ labels }) => labels);
  const dots = [...new Set(all.filter((label) => /\d/.test(label)))].sort().reverse();
  const once = [...new Set(all)].filter((label) => all.indexOf(label) === all.lastIndexOf(label));
  const implicit = [...dots, ...once.filter((label) => !/\d/.test(label)).sort()];
  const output =
    right === undefined ? implicit : labelsOf(right, right.replace("...", "").length + dots.length);
  if (output.some((label) => !all.includes(label))) wrong();
  return { operands, output };
}

/** Of axes with the same label only the diagonal. */
function diagonal(f: Formula, { x, labels }: Labelled): Labelled {
  const distinct = [...new Set(labels)];
  if (distinct.length === labels.length) return { x, labels };
  const strides = stridesOf(x.shape);
  const shape = distinct.map((label) => x.shape[labels.indexOf(label)]);
  const steps = distinct.map((label) =>
    labels.reduce((sum, other, axis) => sum + (other === label ? strides[axis] : 0), 0),
  );
  const to = stridesOf(shape);
  f.checkListed(sizeOf(shape));
  const indices = Array.from({ length: sizeOf(shape) }, (_, i) =>
    shape.reduce((sum, n, axis) => sum + (Math.floor(i / to[axis]) % n) * steps[axis], 0),
  );
  return { x: f.apply("take", x, { shape, indices }), labels: distinct };
}

/** Sums over labels that nobody else asks for. */
function sumOut(f: Formula, { x, labels }: Labelled, wanted: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((label, axis) => (wanted.has(label) ? [] : [axis]));
  if (axes.length === 0) return { x, labels };
  const kept = labels.filter((label) => wanted.has(label));
  const shape = kept.map((label) => x.shape[labels.indexOf(label)]);
  return { x: f.reshape(f.sum(x, axes), shape), labels: kept };
}

/** The axes in the order of the labels; one of extent 1 where there is none. */
function inOrder(f: Formula, { x, labels }: Labelled, order: readonly string[]): Operand {
  const present = order.filter((label) => labels.includes(label));
  const turned = f.transpose(
    x,
    present.map((label) => labels.indexOf(label)),
  );
  const shape = order.map((label) => x.shape[labels.indexOf(label)] ?? 1);
  return f.reshape(turned, shape);
}

/** Two values as one matrix product, with what both have and others want in front. */
function contract(f: Formula, a: Labelled, b: Labelled, wanted: ReadonlySet<string>): Labelled {
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const batch = shared.filter((label) => wanted.has(label));
  const inner = shared.filter((label) => !wanted.has(label));
  const rows = a.labels.filter((label) => !shared.includes(label));
  const columns = b.labels.filter((label) => !shared.includes(label));
  const extent = (label: string) =>
    Math.max(a.x.shape[a.labels.indexOf(label)] ?? 1, b.x.shape[b.labels.indexOf(label)] ?? 1);
  const size = (labels: readonly string[]) => sizeOf(labels.map(extent));
  const labels = [...batch, ...rows, ...columns];
  if (inner.length === 0) {
    const y = f.mul(inOrder(f, a, labels), inOrder(f, b, labels));
    return { x: y, labels };
  }
  const side = (from: Labelled, order: readonly string[], matrix: readonly number[]) =>
    f.reshape(inOrder(f, from, [...batch, ...order]), [
      ...batch.map((label) => from.x.shape[from.labels.indexOf(label)]),
      ...matrix,
    ]);
  const left = side(a, [...rows, ...inner], [size(rows), size(inner)]);
  const right = side(b, [...inner, ...columns], [size(inner), size(columns)]);
  return { x: f.reshape(f.matmul(left, right), labels.map(extent)), labels };
}

/** Diagonals, sums and matrix products, from left to right. */
const einsum = defineRule({
  op: "Einsum",
  import: (node, context) => {
    const equation = node.string("equation");
    const f = new Formula(context);
    const { operands, output } = parse(equation, node.inputs());
    const [first, ...rest] = operands.map((operand) => diagonal(f, operand));
    const wantedBy = (later: readonly Labelled[]) =>
      new Set([...output, ...later.flatMap(({ labels }) => labels)]);
    const joined = rest.reduce((left, right, i) => {
      const later = wantedBy(rest.slice(i + 1));
      const l = sumOut(f, left, new Set([...later, ...right.labels]));
      const r = sumOut(f, right, new Set([...later, ...left.labels]));
      return contract(f, l, r, later);
    }, first);
    const summed = sumOut(f, joined, new Set(output));
    const y = inOrder(f, summed, output);
    return y === node.input(0) ? context.apply("identity", [y]) : y;
  },
});

export const einsumRules: readonly Rule[] = [einsum];
