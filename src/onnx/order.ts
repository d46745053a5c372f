export type Ordered<T> =
  | { readonly kind: "ordered"; readonly items: readonly T[] }
  | { readonly kind: "cycle"; readonly cycle: readonly T[] };

/**
 * Items with everything they need before them. An order that is right stays as it is; otherwise an
 * item moves back only as far as it must. Long chains do not nest calls.
 */
export function inOrder<T>(items: readonly T[], needsOf: (item: T) => Iterable<T>): Ordered<T> {
  const done = new Set<T>();
  const begun = new Set<T>();
  for (const first of items) {
    if (done.has(first)) continue;
    begun.add(first);
    const path = [{ item: first, needs: needsOf(first)[Symbol.iterator]() }];
    while (path.length > 0) {
      const { item, needs } = path[path.length - 1];
      const next = needs.next();
      if (next.done) {
        done.add(item);
        path.pop();
      } else if (!done.has(next.value)) {
        if (begun.has(next.value)) {
          const chain = path.map((step) => step.item);
          return { kind: "cycle", cycle: chain.slice(chain.indexOf(next.value)) };
        }
        begun.add(next.value);
        path.push({ item: next.value, needs: needsOf(next.value)[Symbol.iterator]() });
      }
    }
  }
  return { kind: "ordered", items: [...done] };
}
