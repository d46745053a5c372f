import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Comparison } from "./compare.ts";
import type { OperatorProblem } from "./problem.ts";

const place = fileURLToPath(new URL("../../../docs/quantized-models.md", import.meta.url));
const head = "| operator | formats | codes compared | equal |\n| --- | --- | ---: | ---: |\n";

/** One row of the table, as it is counted. */
export interface Row {
  readonly operator: string;
  readonly formats: string;
  readonly compared: number;
  readonly equal: number;
}

/** Rows in the order of the problems, with what they came to. */
export function rowsOf(
  results: readonly (readonly [OperatorProblem, Comparison])[],
): readonly Row[] {
  const rows = new Map<string, Row>();
  for (const [{ operator, row }, { compared, equal }] of results) {
    const key = `${operator}|${row}`;
    const before = rows.get(key);
    rows.set(key, {
      operator,
      formats: row,
      compared: compared + (before?.compared ?? 0),
      equal: equal + (before?.equal ?? 0),
    });
  }
  return [...rows.values()];
}

/** The table as it stands in the documentation. */
export function documentedRows(): readonly Row[] {
  const [, table = ""] = readFileSync(place, "utf8").split(head);
  return table
    .split("\n\n")[0]
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => {
      const [operator, formats, compared, equal] = line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim());
      const number = (cell: string) =>
        cell === "all" ? Number(plain(compared)) : Number(plain(cell));
      return { operator, formats, compared: number(compared), equal: number(equal) };
    });
}

const plain = (cell: string): string => cell.replaceAll(",", "");
const grouped = (n: number): string => n.toLocaleString("en-US");

export function writeRows(rows: readonly Row[]): void {
  const [before, after = ""] = readFileSync(place, "utf8").split(head);
  const rest = after.slice(after.indexOf("\n\n"));
  const lines = rows.map(
    ({ operator, formats, compared, equal }) =>
      `| ${operator} | ${formats} | ${grouped(compared)} | ${equal === compared ? "all" : grouped(equal)} |`,
  );
  writeFileSync(place, `${before}${head}${lines.join("\n")}${rest}`);
}
