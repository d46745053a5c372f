import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Mode } from "./run-case.ts";
import type { CaseResult } from "./run-cases.ts";

const file = fileURLToPath(new URL("known-failing.txt", import.meta.url));

const head = `# Cases in scope that fail, one a line: MODE CASE: REASON
# An unexpected pass fails, and so does an unexpected failure.
# \`npm run conformance -- --update\` takes out what passes and adds what fails, with what was seen; a reason
# that a person wrote stays.
`;

const keyOf = (mode: Mode, folder: string): string => `${mode} ${folder}`;

/** The reasons, by mode and case. */
export class KnownFailing {
  readonly #reasons = new Map<string, string>();

  constructor() {
    if (!existsSync(file)) return;
    for (const line of readFileSync(file, "utf8").split("\n")) {
      if (line === "" || line.startsWith("#")) continue;
      const match = /^((?:float|fixed) \S+): (.+)$/.exec(line);
      if (match === null) throw new Error(`known-failing.txt has the line "${line}"`);
      if (this.#reasons.has(match[1])) throw new Error(`known-failing.txt has ${match[1]} twice`);
      this.#reasons.set(match[1], match[2]);
    }
  }

  reasonOf(mode: Mode, folder: string): string | undefined {
    return this.#reasons.get(keyOf(mode, folder));
  }

  /** Modes and cases that are listed. */
  get keys(): readonly string[] {
    return [...this.#reasons.keys()];
  }

  /** What is not as listed, in words; empty where all is. */
  surprise({ entry, mode, outcome }: CaseResult): string {
    const listed = this.reasonOf(mode, entry.folder);
    if (outcome.status === "fail") return listed === undefined ? `fails: ${outcome.reason}` : "";
    return listed === undefined ? "" : `is listed as failing (${listed}), but it passes`;
  }

  /** Writes the file anew. Lines of cases that were not run stay. */
  update(results: readonly CaseResult[]): void {
    for (const { entry, mode, outcome } of results) {
      const key = keyOf(mode, entry.folder);
      if (outcome.status !== "fail") this.#reasons.delete(key);
      else if (isMeasured(this.#reasons.get(key))) this.#reasons.set(key, outcome.reason ?? "");
    }
    const lines = [...this.#reasons].map(([key, reason]) => `${key}: ${reason}\n`).sort();
    writeFileSync(file, head + lines.join(""));
  }
}

/** Whether a reason is what the runner saw, which the next run may see differently. */
function isMeasured(reason: string | undefined): boolean {
  return reason === undefined || /^(N2F_|FAULT|output \d+: )/.test(reason);
}
