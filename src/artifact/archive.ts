import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { unzipSync, zipSync } from "fflate";
import { fail, Nn2fpgaError } from "../base/index.ts";
import { type Bundle, isBundlePath, readBundle } from "./bundle.ts";
import { checkManifest } from "./check-manifest.ts";
import { bundlePaths } from "./manifest.ts";

/** An archive's fixed date: the same bundle gives the same bytes. */
const date = new Date("1980-01-01T12:00:00Z");

/** Bytes of a bundle's files together, at most, where nobody says otherwise. */
const defaultMaxBytes = 2 ** 30;

/**
 * A bundle as one file: a zip with the bundle's files at their paths. All files are checked first.
 *
 * @throws N2F_BUNDLE_CORRUPT
 */
export function packBundle(bundle: Bundle): Uint8Array {
  const manifest = readFileSync(join(bundle.folder, bundlePaths.manifest));
  const files: Record<string, Uint8Array> = { [bundlePaths.manifest]: new Uint8Array(manifest) };
  for (const path of Object.keys(bundle.manifest.files)) files[path] = bundle.read(path);
  return zipSync(files, { level: 6, mtime: date });
}

/**
 * Unpacks an archive that a stranger may have made. The folder appears whole or not at all: paths, sizes
 * and hashes are checked against the manifest before it does.
 *
 * @throws N2F_BUNDLE_CORRUPT, N2F_BUNDLE_SCHEMA, N2F_FILE_WRITE
 */
export function unpackBundle(
  archive: Uint8Array,
  folder: string,
  maxBytes: number = defaultMaxBytes,
): Bundle {
  const files = readArchive(archive, folder, maxBytes);
  const text = files[bundlePaths.manifest];
  if (text === undefined) return corrupt("there is no manifest in the archive", folder);
  const manifest = checkManifest(Buffer.from(text).toString("utf8"), folder);
  for (const path of Object.keys(files)) {
    if (path !== bundlePaths.manifest && !Object.hasOwn(manifest.files, path)) {
      corrupt(`the archive has a file that its manifest does not list: ${path}`, folder);
    }
  }
  if (existsSync(folder)) {
    fail("N2F_FILE_WRITE", "something stands here already", { at: folder });
  }
  const fresh = `${folder}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    for (const [path, bytes] of Object.entries(files)) {
      mkdirSync(dirname(join(fresh, path)), { recursive: true });
      writeFileSync(join(fresh, path), bytes);
    }
    readBundle(fresh).verifyAll();
    renameSync(fresh, folder);
  } catch (cause) {
    if (cause instanceof Nn2fpgaError) throw cause;
    fail("N2F_FILE_WRITE", `the bundle cannot be unpacked: ${(cause as Error).message}`, {
      at: folder,
      cause,
    });
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return readBundle(folder);
}

/** The files of a zip, sizes checked before they are inflated. */
function readArchive(
  archive: Uint8Array,
  at: string,
  maxBytes: number,
): Record<string, Uint8Array> {
  let total = 0;
  const seen = new Set<string>();
  try {
    return unzipSync(archive, {
      filter: ({ name, originalSize }) => {
        if (name.endsWith("/") && originalSize === 0) return false;
        if (!isBundlePath(name)) corrupt(`"${name}" is no path for a bundle`, at);
        if (seen.has(name)) corrupt(`the archive has ${name} twice`, at);
        seen.add(name);
        total += originalSize;
        if (total > maxBytes) corrupt(`the archive holds more than ${maxBytes} bytes`, at);
        return true;
      },
    });
  } catch (cause) {
    if (cause instanceof Nn2fpgaError) throw cause;
    return corrupt(`this is no zip archive: ${(cause as Error).message}`, at, cause);
  }
}

function corrupt(message: string, at: string, cause?: unknown): never {
  return fail("N2F_BUNDLE_CORRUPT", message, {
    at,
    hint: "Make the archive again, with `nn2fpga deploy`.",
    ...(cause !== undefined && { cause }),
  });
}
