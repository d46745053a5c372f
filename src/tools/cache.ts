import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where builds are kept: `N2F_CACHE`, or `nn2fpga` in the user's cache folder. */
export function cacheFolder(): string {
  const own = process.env["N2F_CACHE"];
  if (own !== undefined && own !== "") return own;
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "nn2fpga");
}

/** A name for everything that goes into a build. */
export function contentKey(parts: Iterable<string | Uint8Array>): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest("hex").slice(0, 32);
}

/**
 * The folder of a build, made now where it is not there. Two processes may build the same at once: one
 * wins, both get a whole folder.
 */
export async function cached(
  key: string,
  build: (folder: string) => Promise<void>,
): Promise<{ folder: string; wasBuilt: boolean }> {
  const folder = join(cacheFolder(), key);
  if (existsSync(folder)) return { folder, wasBuilt: false };
  const fresh = `${folder}.${randomBytes(4).toString("hex")}.tmp`;
  mkdirSync(fresh, { recursive: true });
  try {
    await build(fresh);
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return { folder, wasBuilt: true };
}
