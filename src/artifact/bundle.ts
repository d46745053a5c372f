import { createHash, randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { assert, fail, Nn2fpgaError } from "../base/index.ts";
import { checkManifest } from "./check-manifest.ts";
import { bundlePaths, type Manifest } from "./manifest.ts";

/** A compiled network on disk. */
export interface Bundle {
  readonly folder: string;
  readonly manifest: Manifest;
  /** A file of the bundle, its hash checked. @throws N2F_BUNDLE_CORRUPT */
  read(path: string): Uint8Array;
  /** Checks every file. @throws N2F_BUNDLE_CORRUPT naming all that differ */
  verifyAll(): void;
}

export interface BundleContent {
  readonly manifest: Omit<Manifest, "files">;
  /** By path inside the bundle, with `/`. */
  readonly files: ReadonlyMap<string, Uint8Array | string>;
}

const again = "Compile the model again.";

/**
 * Writes a bundle whole or not at all: beside its place, then renamed. An older bundle there is replaced.
 *
 * @throws N2F_FILE_WRITE where the place holds something else, or cannot be written
 */
export function writeBundle(folder: string, { manifest, files }: BundleContent): void {
  for (const path of files.keys()) {
    assert(
      isBundlePath(path) && path !== bundlePaths.manifest,
      `"${path}" is no path for a bundle`,
    );
  }
  const place = resolve(folder);
  const isReplacing = checkBundlePlace(folder);
  const suffix = randomBytes(6).toString("hex");
  const fresh = `${place}.${suffix}.tmp`;
  const old = `${place}.${suffix}.old`;
  try {
    const hashes: Record<string, { sha256: string; sizeBytes: number }> = {};
    for (const [path, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const bytes = typeof content === "string" ? Buffer.from(content) : content;
      hashes[path] = { sha256: sha256(bytes), sizeBytes: bytes.length };
      mkdirSync(dirname(join(fresh, path)), { recursive: true });
      writeFileSync(join(fresh, path), bytes);
    }
    writeFileSync(join(fresh, bundlePaths.manifest), manifestText({ ...manifest, files: hashes }));
    if (isReplacing) renameSync(place, old);
    renameSync(fresh, place);
  } catch (cause) {
    if (existsSync(old) && !existsSync(place)) renameSync(old, place);
    fail("N2F_FILE_WRITE", `the bundle cannot be written: ${(cause as Error).message}`, {
      at: folder,
      cause,
    });
  } finally {
    // `force` does not forgive a path that leads through a file.
    for (const path of [fresh, old]) {
      if (existsSync(path)) rmSync(path, { recursive: true, force: true });
    }
  }
}

/** Letters, digits and `_.-` between single slashes: inside the bundle, whatever the platform. */
export function isBundlePath(path: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/.test(path);
}

/**
 * Whether something stands at a folder that a new bundle would replace.
 *
 * @throws N2F_FILE_WRITE where it is neither a bundle nor empty
 */
export function checkBundlePlace(folder: string): boolean {
  const place = resolve(folder);
  if (!existsSync(place)) return false;
  const isFolder = statSync(place).isDirectory();
  const isBundle = isFolder && existsSync(join(place, bundlePaths.manifest));
  if (isBundle || (isFolder && readdirSync(place).length === 0)) return true;
  return fail(
    "N2F_FILE_WRITE",
    `${isFolder ? "a folder that is no bundle" : "a file"} stands here already`,
    {
      at: folder,
      hint: "Choose another output folder; nothing was changed.",
    },
  );
}

/**
 * Opens a bundle: its manifest is checked now, each file when it is read.
 *
 * @throws N2F_FILE_READ, N2F_BUNDLE_SCHEMA, N2F_BUNDLE_CORRUPT
 */
export function readBundle(folder: string): Bundle {
  const path = join(folder, bundlePaths.manifest);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    return fail("N2F_FILE_READ", `this is no bundle: ${(cause as Error).message}`, {
      at: folder,
      hint: "Give the folder that `nn2fpga compile` wrote.",
      cause,
    });
  }
  const manifest = checkManifest(text, path);
  const read = (file: string): Uint8Array => {
    const entry = Object.hasOwn(manifest.files, file) ? manifest.files[file] : undefined;
    const corrupt = (message: string, cause?: unknown): never =>
      fail("N2F_BUNDLE_CORRUPT", message, { at: join(folder, file), hint: again, cause });
    if (entry === undefined) return corrupt("the manifest does not list this file");
    const inside = resolve(folder, file);
    if (!inside.startsWith(resolve(folder) + sep)) return corrupt("the path leaves the bundle");
    let bytes: Uint8Array;
    try {
      if (statSync(inside).size !== entry.sizeBytes)
        return corrupt("the file has another size than the manifest says");
      bytes = new Uint8Array(readFileSync(inside));
    } catch (error) {
      if (error instanceof Nn2fpgaError) throw error;
      return corrupt(`the file cannot be read: ${(error as Error).message}`, error);
    }
    if (sha256(bytes) !== entry.sha256)
      return corrupt("the file has another hash than the manifest says");
    return bytes;
  };
  const verifyAll = () => {
    const problems = Object.keys(manifest.files).flatMap((file) => {
      try {
        read(file);
        return [];
      } catch (error) {
        if (error instanceof Nn2fpgaError) return error.problems;
        throw error;
      }
    });
    if (problems.length > 0) throw new Nn2fpgaError(problems);
  };
  return { folder, manifest, read, verifyAll };
}

/** Adds to a bundle's manifest what was measured. Other readers see the old one or the new one. */
export function updateManifest(bundle: Bundle, patch: Pick<Manifest, "measured">): void {
  const path = join(bundle.folder, bundlePaths.manifest);
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    writeFileSync(temporary, manifestText({ ...bundle.manifest, ...patch }));
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    fail("N2F_FILE_WRITE", `the manifest cannot be written: ${(cause as Error).message}`, {
      at: path,
      cause,
    });
  }
}

/** A bundle in which some files are others, in memory only. Files that only the old one has stay. */
export function withFiles(
  bundle: Bundle,
  files: ReadonlyMap<string, Uint8Array | string>,
  kernel: Partial<Manifest["kernel"]> = {},
): Bundle {
  const contents = new Map(
    [...files].map(([path, content]) => [
      path,
      typeof content === "string" ? new Uint8Array(Buffer.from(content)) : content,
    ]),
  );
  const hashes = [...contents].map(([path, bytes]) => [
    path,
    { sha256: sha256(bytes), sizeBytes: bytes.length },
  ]);
  const { manifest } = bundle;
  return {
    ...bundle,
    manifest: {
      ...manifest,
      kernel: { ...manifest.kernel, ...kernel },
      files: { ...manifest.files, ...Object.fromEntries(hashes) },
    },
    read: (path) => contents.get(path) ?? bundle.read(path),
  };
}

function manifestText(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
