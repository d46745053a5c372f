import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fail } from "../base/index.ts";

export interface CachedBuild {
  readonly folder: string;
  /** False where it was there already. */
  readonly wasBuilt: boolean;
}

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

/** Builds of this process that are under way. */
const underWay = new Map<string, Promise<CachedBuild>>();

/**
 * The folder of a build, made now where it is not there. Within a process nothing is built twice at
 * once; two processes may, then one wins and both get a whole folder.
 *
 * @throws N2F_FILE_WRITE where the cache cannot be written, and what `build` throws
 */
export async function cached(
  key: string,
  build: (folder: string) => Promise<void>,
): Promise<CachedBuild> {
  const folder = join(cacheFolder(), key);
  if (existsSync(folder)) return { folder, wasBuilt: false };
  let result = underWay.get(folder);
  if (result === undefined) {
    result = buildBeside(folder, build).finally(() => underWay.delete(folder));
    underWay.set(folder, result);
  }
  return result;
}

async function buildBeside(
  folder: string,
  build: (folder: string) => Promise<void>,
): Promise<CachedBuild> {
  const fresh = `${folder}.${randomBytes(4).toString("hex")}${unfinished}`;
  inCache(() => mkdirSync(fresh, { recursive: true }));
  try {
    removeLeftovers();
    await build(fresh);
    inCache(() => renameSync(fresh, folder));
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return { folder, wasBuilt: true };
}

function inCache(step: () => void): void {
  try {
    step();
  } catch (cause) {
    fail("N2F_FILE_WRITE", `the cache cannot be written: ${(cause as Error).message}`, {
      at: cacheFolder(),
      hint: "Set N2F_CACHE to a folder that can be written.",
      cause,
    });
  }
}

const unfinished = ".tmp";
const leftoverMs = 24 * 3600 * 1000;

/** Builds that were cut off, a day ago or more. */
function removeLeftovers(): void {
  for (const name of readdirSync(cacheFolder())) {
    if (!name.endsWith(unfinished)) continue;
    const path = join(cacheFolder(), name);
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - changed > leftoverMs) rmSync(path, { recursive: true, force: true });
  }
}
