import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { scanRepository } from "./layout.ts";

/**
 * Looks at a repository again and again and tells which models have changed, have come, or have gone. A
 * change counts when two looks in a row see the same, so that what is being copied is left alone.
 *
 * @returns a function that ends it
 */
export function watchRepository(
  root: string,
  everyMs: number,
  changed: (name: string, isThere: boolean) => Promise<void>,
): () => void {
  let loaded = fingerprints(root) ?? new Map<string, string>();
  let last = loaded;
  let isBusy = false;
  const look = async (): Promise<void> => {
    const now = isBusy ? undefined : fingerprints(root);
    if (now === undefined) return;
    isBusy = true;
    for (const name of new Set([...loaded.keys(), ...now.keys()])) {
      const isStable = now.get(name) === last.get(name);
      if (!isStable || now.get(name) === loaded.get(name)) continue;
      loaded = withEntry(loaded, name, now.get(name));
      await changed(name, now.has(name));
    }
    last = now;
    isBusy = false;
  };
  const timer = setInterval(look, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

function withEntry(
  map: ReadonlyMap<string, string>,
  key: string,
  value: string | undefined,
): Map<string, string> {
  const copy = new Map(map);
  if (value === undefined) copy.delete(key);
  else copy.set(key, value);
  return copy;
}

/** Names, sizes and times of what makes up each model, two levels deep: a bundle's manifest is among it. */
function fingerprints(root: string): Map<string, string> | undefined {
  try {
    return new Map(scanRepository(root).map(({ name, folder }) => [name, fingerprint(folder, 3)]));
  } catch {
    return undefined; // the folder is away for a moment, or for good: nothing is unloaded for that
  }
}

function fingerprint(path: string, levels: number): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return "";
  if (!stat.isDirectory()) return `${stat.size}@${stat.mtimeMs}`;
  if (levels === 0) return "";
  const entries = readdirSync(path).sort();
  return entries.map((entry) => `${entry}:${fingerprint(join(path, entry), levels - 1)}`).join(",");
}
