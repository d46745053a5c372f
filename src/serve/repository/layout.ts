import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { bundlePaths } from "../../artifact/index.ts";
import { fail } from "../../base/index.ts";
import type { VersionPolicy } from "../core/model-config.ts";
import { ServeError } from "../core/serve-error.ts";
import { checkJsonMessage } from "./config-json.ts";
import { modelConfigSchema } from "./config-schema.ts";
import { parseTextFormat, type TextMessage } from "./text-format.ts";

/** Where one model lies. */
export interface ModelSource {
  readonly name: string;
  readonly folder: string;
  /** The folder is a bundle itself; it serves as version 1. */
  readonly isBundle: boolean;
}

export const bundleSuffix = ".n2f";
export const archiveSuffix = ".n2f.zip";

/** Letters, digits and `_.-`, as file names and URLs carry them; nothing that leads out of a folder. */
export function isModelName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$/.test(name);
}

const isBundleFolder = (folder: string): boolean => existsSync(join(folder, bundlePaths.manifest));
const isFolder = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
const bundleName = (folder: string): string => basename(resolve(folder)).replace(/\.n2f$/, "");

/**
 * The models of a repository: folders with versions, bundles, or one bundle that is given itself.
 *
 * @throws N2F_FILE_READ where there is no such folder
 */
export function scanRepository(root: string): ModelSource[] {
  if (!isFolder(root)) {
    fail("N2F_FILE_READ", "there is no such folder", {
      at: root,
      hint: "Give a model repository, or a bundle that `nn2fpga compile` wrote.",
    });
  }
  if (isBundleFolder(root)) return [{ name: bundleName(root), folder: root, isBundle: true }];
  return readdirSync(root)
    .sort()
    .filter((entry) => !entry.startsWith(".") && !entry.endsWith(".tmp") && !entry.endsWith(".old"))
    .map((entry) => join(root, entry))
    .filter(isFolder)
    .flatMap((folder) => sourceOf(folder) ?? [])
    .filter(({ name }) => isModelName(name));
}

/** The model in a folder, if there is one. */
export function sourceOf(folder: string): ModelSource | undefined {
  if (isBundleFolder(folder)) return { name: bundleName(folder), folder, isBundle: true };
  const isModel = existsSync(join(folder, "config.pbtxt")) || versionsOf(folder).length > 0;
  return isModel ? { name: basename(folder), folder, isBundle: false } : undefined;
}

/** Numbers of the version folders, ascending. */
function versionsOf(folder: string): number[] {
  return readdirSync(folder)
    .filter((entry) => /^[1-9][0-9]*$/.test(entry) && isFolder(join(folder, entry)))
    .map(Number)
    .filter(Number.isSafeInteger)
    .sort((a, b) => a - b);
}

/** The versions that a policy asks for. */
export function wantedVersions(source: ModelSource, policy: VersionPolicy | undefined): number[] {
  if (source.isBundle) return [1];
  const there = versionsOf(source.folder);
  if (policy !== undefined && "specific" in policy) {
    const wanted = policy.specific.versions ?? [];
    return there.filter((version) => wanted.includes(version));
  }
  if (policy !== undefined && "all" in policy) return there;
  const count = policy !== undefined && "latest" in policy ? policy.latest.num_versions : 1;
  return there.slice(-Math.max(1, Number(count ?? 1)));
}

/** What a model's `config.pbtxt` says. @throws N2F_CONFIG_INVALID */
export function readConfig({ folder, isBundle }: ModelSource): TextMessage | undefined {
  const path = join(folder, "config.pbtxt");
  if (isBundle || !existsSync(path)) return undefined;
  return parseTextFormat(readFileSync(path, "utf8"), modelConfigSchema, path);
}

/** Reads a config that a client sent as JSON. @throws ServeError INVALID_ARG, N2F_CONFIG_INVALID */
export function parseConfigOverride(text: string, model: string): TextMessage {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (cause) {
    throw new ServeError(
      "INVALID_ARG",
      `failed to load '${model}', the config is no JSON: ${(cause as Error).message}`,
      { cause },
    );
  }
  return checkJsonMessage(config, modelConfigSchema, "config");
}

/** What a version's folder has for a backend. */
export type VersionContent =
  | { readonly kind: "bundle"; readonly path: string }
  | { readonly kind: "archive"; readonly path: string }
  | { readonly kind: "onnx"; readonly path: string }
  | { readonly kind: "empty"; readonly path: string };

/**
 * Finds what a version serves: the file that the config names, else a bundle, an archive of one, an ONNX
 * file.
 *
 * @throws N2F_FILE_READ
 */
export function versionContent(
  source: ModelSource,
  version: number,
  fileName: string | undefined,
): VersionContent {
  if (source.isBundle) return { kind: "bundle", path: source.folder };
  const folder = join(source.folder, String(version));
  const entries = isFolder(folder) ? readdirSync(folder).sort() : [];
  const pick = (suffix: string): string | undefined => {
    const fitting = entries.filter((entry) => entry.endsWith(suffix));
    return fitting.find((entry) => entry === `model${suffix}`) ?? fitting[0];
  };
  const named = fileName !== undefined && fileName !== "" ? fileName : undefined;
  if (named !== undefined && !entries.includes(named)) {
    fail("N2F_FILE_READ", `there is no ${named}, which default_model_filename names`, {
      at: folder,
    });
  }
  const choose = (suffix: string): string | undefined =>
    named === undefined ? pick(suffix) : named.endsWith(suffix) ? named : undefined;
  for (const [suffix, kind] of [
    [bundleSuffix, "bundle"],
    [archiveSuffix, "archive"],
    [".onnx", "onnx"],
  ] as const) {
    const entry = choose(suffix);
    if (entry !== undefined) return { kind, path: join(folder, entry) };
  }
  return { kind: "empty", path: folder };
}
