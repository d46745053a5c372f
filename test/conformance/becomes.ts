import { Nn2fpgaError } from "../../src/base/index.ts";
import type { Graph } from "../../src/ir/index.ts";
import { ops } from "../../src/ops/index.ts";
import { runPasses } from "../../src/passes/index.ts";
import { attemptsOf, type Prepared, prepare } from "./attempt.ts";
import { type Case, type CaseEntry, readCase } from "./case.ts";

/** The primitive operators that a case becomes, where it is one node and is imported at all. */
export function becomesOf(entry: CaseEntry): readonly string[] {
  try {
    const subject = readCase(entry);
    for (const attempt of attemptsOf(subject)) {
      try {
        return becomesWith(subject, prepare(subject, attempt));
      } catch (error) {
        if (!(error instanceof Nn2fpgaError)) throw error;
      }
    }
  } catch (error) {
    if (!(error instanceof Nn2fpgaError)) throw error;
  }
  return [];
}

export function becomesWith({ model }: Case, { graph }: Prepared): readonly string[] {
  if (graph === undefined || model.graph.nodes.length !== 1) return [];
  return operatorsOf(runPasses(graph, ops));
}

function operatorsOf(graph: Graph): readonly string[] {
  const names = [...graph.values.values()].flatMap((value) =>
    value.kind === "op" ? [value.op] : [],
  );
  return [...new Set(names)].sort();
}
