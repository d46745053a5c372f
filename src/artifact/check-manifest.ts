import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { fail, Nn2fpgaError, type Problem } from "../base/index.ts";
import { containerBytes, maxWidthBits } from "../fixed/index.ts";
import { sizeOf } from "../tensor/index.ts";
import { packagePath } from "../tools/index.ts";
import {
  bundlePaths,
  type Manifest,
  manifestVersion,
  type PortTensor,
  packetBytes,
} from "./manifest.ts";

let validator: ReturnType<Ajv["compile"]> | undefined;

/**
 * Reads a manifest that somebody else may have written: by its schema, then by what no schema says.
 *
 * @throws N2F_BUNDLE_SCHEMA with everything that is wrong
 */
export function checkManifest(text: string, path: string): Manifest {
  const wrong = (message: string, hint = "Compile the model again.") =>
    fail("N2F_BUNDLE_SCHEMA", message, { at: path, hint });
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    return wrong(`the manifest is no JSON: ${(error as Error).message}`);
  }
  const version = (content as Partial<Manifest> | null)?.manifestVersion;
  if (version !== manifestVersion) {
    return wrong(
      `the manifest has version ${String(version)}; this program reads version ${manifestVersion}`,
      "Compile the model again, or use the nn2fpga that wrote the bundle.",
    );
  }
  if (validator === undefined) {
    const schema: unknown = JSON.parse(
      readFileSync(packagePath("schema", "manifest.schema.json"), "utf8"),
    );
    validator = new Ajv({ allErrors: true }).compile(schema as object);
  }
  if (!validator(content)) {
    const problems = (validator.errors ?? []).map(
      (error): Problem => ({
        code: "N2F_BUNDLE_SCHEMA",
        message: `${error.instancePath || "the manifest"} ${error.message}`,
        at: path,
        hint: "Compile the model again.",
      }),
    );
    throw new Nn2fpgaError(problems);
  }
  const manifest = content as Manifest;
  checkPorts(manifest.inputs, manifest.kernel.inputStream, (message) => wrong(message));
  checkPorts(manifest.outputs, manifest.kernel.outputStream, (message) => wrong(message));
  checkSources(manifest, (message) => wrong(message));
  return manifest;
}

function checkPorts(
  ports: readonly PortTensor[],
  stream: { readonly beats: number; readonly beatBytes: number },
  wrong: (message: string) => never,
): void {
  let offset = 0;
  const names = new Set<string>();
  for (const port of ports) {
    const { format, elementBytes, container } = port;
    if (names.has(port.name)) wrong(`two tensors of one direction have the name ${port.name}`);
    names.add(port.name);
    if (format.width > (format.signed ? maxWidthBits : maxWidthBits - 1)) {
      wrong(`tensor ${port.name} has an unsigned format of ${format.width} bits`);
    }
    if (
      containerBytes(format) !== elementBytes ||
      container !== `${format.signed ? "" : "U"}INT${elementBytes * 8}`
    ) {
      wrong(
        `tensor ${port.name} has a format of ${format.width} bits in a container of ${container}`,
      );
    }
    if (port.sizeBytes !== sizeOf(port.shape) * elementBytes || port.offsetBytes !== offset) {
      wrong(`tensor ${port.name} does not stand where its size puts it`);
    }
    offset += port.sizeBytes;
  }
  if (stream.beats * stream.beatBytes < packetBytes(ports)) {
    wrong(
      `${stream.beats} beats of ${stream.beatBytes} bytes do not hold a packet of ${packetBytes(ports)}`,
    );
  }
  if ((stream.beats - 1) * stream.beatBytes >= packetBytes(ports)) {
    wrong(
      `a packet of ${packetBytes(ports)} bytes leaves some of ${stream.beats} beats of ${stream.beatBytes} bytes empty`,
    );
  }
}

/** The Verilog that a simulator will be told to read is there, the top's own file with it. */
function checkSources({ kernel, files }: Manifest, wrong: (message: string) => never): void {
  for (const source of [...kernel.sources, `${kernel.top}.sv`]) {
    if (Object.hasOwn(files, `${bundlePaths.rtl}/${source}`)) continue;
    wrong(`${bundlePaths.rtl}/${source} is needed and not among the bundle's files`);
  }
}
