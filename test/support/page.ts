import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The page that says what becomes of the ONNX project's cases. */
export const conformancePath = fileURLToPath(new URL("../../docs/conformance.md", import.meta.url));

export const readConformance = (): string => readFileSync(conformancePath, "utf8");

/** What a page has between a title of the second order and the next; nothing where it has no such title. */
export function sectionOf(page: string, title: string): string | undefined {
  const [, rest] = page.split(`\n## ${title}\n`);
  return rest?.split("\n## ")[0].trim();
}

/** The page with another text under a title that it has. */
export function withSection(page: string, title: string, text: string): string {
  const old = sectionOf(page, title);
  if (old === undefined) throw new Error(`the page has no section "${title}"`);
  const head = `\n## ${title}\n`;
  const at = page.indexOf(head);
  const end = page.indexOf("\n## ", at + head.length);
  return `${page.slice(0, at)}${head}\n${text.trim()}\n${end < 0 ? "" : page.slice(end)}`;
}
