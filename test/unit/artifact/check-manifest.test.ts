import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkManifest } from "../../../src/artifact/check-manifest.ts";
import type {
  ContainerType,
  Manifest,
  PortTensor,
  Resources,
  StreamPort,
  Timing,
} from "../../../src/artifact/index.ts";
import { Nn2fpgaError } from "../../../src/base/index.ts";
import type { Format, Overflow, Rounding } from "../../../src/fixed/index.ts";
import { packagePath } from "../../../src/tools/index.ts";
import { sampleFiles, sampleManifest } from "./manifest-sample.ts";

/** Any JSON, to be spoilt. */
// biome-ignore lint/suspicious/noExplicitAny: the tests write what the types forbid.
type Loose = any;

function whole(): Loose {
  const files = Object.fromEntries(
    [...sampleFiles().keys()].map((path) => [path, { sha256: "a".repeat(64), sizeBytes: 1 }]),
  );
  return structuredClone({ ...sampleManifest(), files });
}

/** Messages for a manifest that was spoilt. */
function messages(spoil: (manifest: Loose) => void): string[] {
  const manifest = whole();
  spoil(manifest);
  try {
    checkManifest(JSON.stringify(manifest), "x/manifest.json");
  } catch (error) {
    if (!(error instanceof Nn2fpgaError)) throw error;
    for (const { code, at, hint } of error.problems) {
      expect([code, at]).toEqual(["N2F_BUNDLE_SCHEMA", "x/manifest.json"]);
      expect(hint).toMatch(/^Compile the model again/);
    }
    return error.problems.map(({ message }) => message);
  }
  return [];
}

describe("checkManifest", () => {
  it("takes what writeBundle writes", () => {
    expect(messages(() => {})).toEqual([]);
    const measured = { latencyCycles: 0, intervalCycles: 1, simulator: "" };
    expect(messages((m) => Object.assign(m, { measured }))).toEqual([]);
  });

  it("refuses text that is no manifest", () => {
    for (const text of ["", "{", "null", "[]", "3", '"manifestVersion"']) {
      expect(() => checkManifest(text, "x")).toThrow(/N2F_BUNDLE_SCHEMA/);
    }
  });

  it("names the version that it cannot read, before anything else", () => {
    expect(messages((m) => Object.assign(m, { manifestVersion: 2, kernel: 3 }))).toEqual([
      "the manifest has version 2; this program reads version 1",
    ]);
  });

  it("reports everything that the schema forbids", () => {
    const found = messages((m) => {
      delete m.name;
      m.kernel.reuse = 0;
      m.inputs[0].rounding = "UP";
      m.more = 1;
    });
    expect(found).toHaveLength(4);
    expect(found.join("\n")).toMatch(/must have required property 'name'/);
    expect(found.join("\n")).toMatch(/\/kernel\/reuse must be >= 1/);
    expect(found.join("\n")).toMatch(/\/inputs\/0\/rounding must be equal to one of/);
  });

  it.each([
    "../x",
    "/etc/passwd",
    "rtl/../../x",
    "rtl//x",
    "rtl/",
    ".hidden",
    "a\\b",
    "c:/x",
    "a b",
  ])("refuses the path %j", (path) => {
    const entry = { sha256: "a".repeat(64), sizeBytes: 1 };
    expect(messages((m) => Object.assign(m.files, { [path]: entry })).join()).toMatch(
      /property name must be valid|must match pattern/,
    );
  });

  it.each([
    [
      "a container of another width",
      (m) => Object.assign(m.inputs[0], { container: "INT16" }),
      /format of 7 bits in a container of INT16/,
    ],
    [
      "a container of another sign",
      (m) => Object.assign(m.inputs[1], { container: "INT16" }),
      /format of 12 bits in a container of INT16/,
    ],
    [
      "elements wider than the format needs",
      (m) => Object.assign(m.inputs[0], { container: "INT16", elementBytes: 2 }),
      /format of 7 bits/,
    ],
    [
      "a size that is not the shape's",
      (m) => Object.assign(m.outputs[0], { shape: [1, 4] }),
      /tensor y does not stand where/,
    ],
    [
      "tensors that overlap",
      (m) => Object.assign(m.inputs[1], { offsetBytes: 2 }),
      /tensor b does not stand where/,
    ],
    [
      "two tensors of one name",
      (m) => Object.assign(m.inputs[1], { name: "a" }),
      /two tensors of one direction have the name a/,
    ],
    [
      "64 bits without a sign",
      (m) =>
        Object.assign(m.inputs[1], {
          format: { signed: false, width: 64, frac: 0 },
          container: "UINT64",
          elementBytes: 8,
          sizeBytes: 16,
        }),
      /unsigned format of 64 bits/,
    ],
    [
      "too few beats",
      (m) => Object.assign(m.kernel.outputStream, { beats: 2 }),
      /2 beats of 4 bytes do not hold a packet of 10/,
    ],
    [
      "empty beats",
      (m) => Object.assign(m.kernel.outputStream, { beats: 4 }),
      /leaves some of 4 beats of 4 bytes empty/,
    ],
    [
      "a source that is no file",
      (m) => m.kernel.sources.push("more.sv"),
      /rtl\/more\.sv is needed/,
    ],
    [
      "a top without a file",
      (m) => Object.assign(m.kernel, { top: "other" }),
      /rtl\/other\.sv is needed/,
    ],
  ] as [string, (manifest: Loose) => void, RegExp][])("refuses %s", (_, spoil, expected) => {
    const found = messages(spoil);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });
});

/** Keys of a type and whether they must be there; the compiler holds this against the type. */
type Keys<T> = { readonly [K in keyof T]-?: undefined extends T[K] ? "optional" : "required" };
/** Every word of a union. */
type Words<T extends string | number> = { readonly [K in T]: true };

const manifestKeys: Keys<Manifest> = {
  manifestVersion: "required",
  name: "required",
  generator: "required",
  source: "required",
  inputs: "required",
  outputs: "required",
  kernel: "required",
  measured: "optional",
  files: "required",
};
const kernelKeys: Keys<Manifest["kernel"]> = {
  architecture: "required",
  top: "required",
  clockMhz: "required",
  reuse: "required",
  maxLevels: "required",
  inputStream: "required",
  outputStream: "required",
  predicted: "required",
  resources: "required",
  sources: "required",
};
const portKeys: Keys<PortTensor> = {
  name: "required",
  shape: "required",
  format: "required",
  rounding: "required",
  overflow: "required",
  container: "required",
  elementBytes: "required",
  offsetBytes: "required",
  sizeBytes: "required",
  scale: "optional",
  zeroPoint: "optional",
  offset: "optional",
  order: "optional",
  meaning: "required",
};
const sourceKeys: Keys<Manifest["source"]> = { file: "required", sha256: "required" };
const fileKeys: Keys<Manifest["files"][string]> = { sha256: "required", sizeBytes: "required" };
const measuredKeys: Keys<NonNullable<Manifest["measured"]>> = {
  latencyCycles: "required",
  intervalCycles: "required",
  simulator: "required",
};
const timingKeys: Keys<Timing> = { latencyCycles: "required", intervalCycles: "required" };
const resourceKeys: Keys<Resources> = {
  lut: "required",
  ff: "required",
  dsp: "required",
  bram36: "required",
};
const streamKeys: Keys<StreamPort> = { beats: "required", beatBytes: "required" };
const formatKeys: Keys<Format> = { signed: "required", width: "required", frac: "required" };
const containers: Words<ContainerType> = {
  ...{ INT8: true, INT16: true, INT32: true, INT64: true },
  ...{ UINT8: true, UINT16: true, UINT32: true, UINT64: true },
};
const roundings: Words<Rounding> = { TRN: true, RND: true, RND_CONV: true, TRN_ZERO: true };
const overflows: Words<Overflow> = { SAT: true, SAT_SYM: true, WRAP: true };
const meanings: Words<PortTensor["meaning"]> = { real: true, integer: true };
const elementBytes: Words<PortTensor["elementBytes"]> = { 1: true, 2: true, 4: true, 8: true };

describe("manifest.schema.json", () => {
  const schema: Loose = JSON.parse(
    readFileSync(packagePath("schema", "manifest.schema.json"), "utf8"),
  );
  const { kernel, measured, source, files } = schema.properties;
  const { port, stream } = schema.definitions;

  it.each([
    ["Manifest", schema, manifestKeys],
    ["kernel", kernel, kernelKeys],
    ["source", source, sourceKeys],
    ["files", files.additionalProperties, fileKeys],
    ["measured", measured, measuredKeys],
    ["predicted", kernel.properties.predicted, timingKeys],
    ["resources", kernel.properties.resources, resourceKeys],
    ["PortTensor", port, portKeys],
    ["StreamPort", stream, streamKeys],
    ["Format", port.properties.format, formatKeys],
  ])("has the keys of %s and no others", (_, part: Loose, keys) => {
    expect(part.additionalProperties).toBe(false);
    expect(Object.keys(part.properties).sort()).toEqual(Object.keys(keys).sort());
    const required = Object.entries(keys).filter(([, need]) => need === "required");
    expect([...part.required].sort()).toEqual(required.map(([key]) => key).sort());
  });

  it.each([
    ["container", containers],
    ["rounding", roundings],
    ["overflow", overflows],
    ["meaning", meanings],
    ["elementBytes", elementBytes],
  ])("has the words of %s", (key, words) => {
    expect(port.properties[key].enum.map(String).sort()).toEqual(Object.keys(words).sort());
  });
});
