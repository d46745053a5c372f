import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * A file or folder of `shared`, which lies beside the repository and holds corpus and workloads.
 * Nothing where it is absent: the test that asks skips then, and says so.
 */
export function sharedPath(...parts: readonly string[]): string | undefined {
  const path = fileURLToPath(new URL(`../../../shared/${parts.join("/")}`, import.meta.url));
  return existsSync(path) ? path : undefined;
}
