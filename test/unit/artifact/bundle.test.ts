import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type Bundle,
  type Manifest,
  readBundle,
  updateManifest,
  withFiles,
  writeBundle,
} from "../../../src/artifact/index.ts";
import { Nn2fpgaError } from "../../../src/base/index.ts";
import { problemOf } from "../../support/problem.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { sampleFiles, sampleManifest } from "./manifest-sample.ts";

const content = () => ({ manifest: sampleManifest(), files: sampleFiles() });

function written(): { parent: string; folder: string; bundle: Bundle } {
  const parent = temporaryFolder();
  const folder = join(parent, "sample.n2f");
  writeBundle(folder, content());
  return { parent, folder, bundle: readBundle(folder) };
}

describe("writeBundle", () => {
  it("writes what readBundle reads, and nothing beside it", () => {
    const { parent, folder, bundle } = written();
    expect(readdirSync(parent)).toEqual(["sample.n2f"]);
    expect(bundle.folder).toBe(folder);
    const { files, ...rest } = bundle.manifest;
    expect(rest).toEqual(sampleManifest());
    expect(Object.keys(files)).toEqual([...sampleFiles().keys()].sort());
    expect(bundle.read("golden/inputs.bin")).toEqual(Uint8Array.of(1, 2, 3, 0, 255));
    expect(new TextDecoder().decode(bundle.read("rtl/n2f_pipe.sv"))).toContain("n2f_pipe");
    expect(bundle.read("empty.txt")).toEqual(new Uint8Array());
    bundle.verifyAll();
  });

  it("writes the same bytes for the same content, in whatever order it comes", () => {
    const { folder } = written();
    const first = readFileSync(join(folder, "manifest.json"), "utf8");
    writeBundle(folder, { ...content(), files: new Map([...sampleFiles()].reverse()) });
    expect(readFileSync(join(folder, "manifest.json"), "utf8")).toBe(first);
  });

  it("replaces an older bundle as a whole, or takes an empty folder", () => {
    const { parent, folder } = written();
    const files = sampleFiles();
    files.delete("empty.txt");
    writeBundle(folder, { manifest: sampleManifest(), files });
    expect(existsSync(join(folder, "empty.txt"))).toBe(false);
    mkdirSync(join(parent, "fresh"));
    writeBundle(join(parent, "fresh"), content());
    readBundle(join(parent, "fresh")).verifyAll();
    expect(readdirSync(parent).sort()).toEqual(["fresh", "sample.n2f"]);
  });

  it.each([
    [
      "a folder that is no bundle",
      (place: string) => {
        mkdirSync(place);
        writeFileSync(join(place, "thesis.tex"), "");
      },
    ],
    ["a file", (place: string) => writeFileSync(place, "")],
  ])("does not touch %s", (what, make) => {
    const parent = temporaryFolder();
    const place = join(parent, "mine");
    make(place);
    expect(problemOf(() => writeBundle(place, content()))).toMatchObject({
      code: "N2F_FILE_WRITE",
      message: `${what} stands here already`,
      at: place,
    });
    expect(readdirSync(parent)).toEqual(["mine"]);
  });

  it("leaves the older bundle where it fails, and nothing else", () => {
    const { parent, folder } = written();
    // A file cannot be a folder too.
    const files = new Map<string, string>([...["a", "a/b"].map((path) => [path, ""] as const)]);
    expect(problemOf(() => writeBundle(folder, { manifest: sampleManifest(), files }))?.code).toBe(
      "N2F_FILE_WRITE",
    );
    expect(readdirSync(parent)).toEqual(["sample.n2f"]);
    readBundle(folder).verifyAll();
  });

  it("says so where there is no place to write", () => {
    const { folder } = written();
    const below = join(folder, "empty.txt", "x.n2f");
    expect(problemOf(() => writeBundle(below, content()))?.code).toBe("N2F_FILE_WRITE");
  });

  it.each(["../x", "/x", "a//b", "a/../b", "manifest.json", "a\\b", ""])(
    "takes the path %j for our own mistake",
    (path) => {
      const parent = temporaryFolder();
      const files = new Map([[path, ""]]);
      expect(() => writeBundle(join(parent, "x"), { ...content(), files })).toThrow(
        /fault of nn2fpga/,
      );
      expect(readdirSync(parent)).toEqual([]);
    },
  );
});

describe("readBundle", () => {
  it("says that a folder is no bundle", () => {
    const folder = temporaryFolder();
    expect(problemOf(() => readBundle(folder))).toMatchObject({
      code: "N2F_FILE_READ",
      at: folder,
      hint: "Give the folder that `nn2fpga compile` wrote.",
    });
  });

  const damages: [string, (path: string) => void, RegExp][] = [
    ["changed", (path) => writeFileSync(path, Uint8Array.of(1, 2, 3, 0, 254)), /another hash/],
    ["cut off", (path) => truncateSync(path, 2), /another size/],
    ["missing", (path) => rmSync(path), /cannot be read.*ENOENT/],
    [
      "a folder",
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
      /another size|cannot be read/,
    ],
  ];
  it.each(damages)("sees a file that is %s", (_, damage, message) => {
    const { folder, bundle } = written();
    const path = join(folder, "golden", "inputs.bin");
    damage(path);
    const problem = problemOf(() => bundle.read("golden/inputs.bin"));
    expect(problem).toMatchObject({ code: "N2F_BUNDLE_CORRUPT", at: path });
    expect(problem?.message).toMatch(message);
    expect(problem?.hint).toBe("Compile the model again.");
    bundle.read("empty.txt");
  });

  it("names all damaged files at once", () => {
    const { folder, bundle } = written();
    rmSync(join(folder, "empty.txt"));
    writeFileSync(join(folder, "rtl", "n2f_pipe.sv"), "module other; endmodule   \n");
    const error = (() => {
      try {
        bundle.verifyAll();
      } catch (thrown) {
        return thrown as Nn2fpgaError;
      }
      return undefined;
    })();
    expect(error).toBeInstanceOf(Nn2fpgaError);
    expect(error?.problems.map(({ at }) => at)).toEqual(
      ["empty.txt", "rtl/n2f_pipe.sv"].map((path) => join(folder, path)),
    );
  });

  it("gives no file that the manifest does not list, wherever it is", () => {
    const { folder, parent, bundle } = written();
    writeFileSync(join(parent, "secret"), "x");
    writeFileSync(join(folder, "stray"), "x");
    symlinkSync(join(parent, "secret"), join(folder, "link"));
    for (const path of [
      "../secret",
      "stray",
      "link",
      "manifest.json",
      "__proto__",
      "toString",
      "",
    ]) {
      expect(problemOf(() => bundle.read(path))).toMatchObject({
        code: "N2F_BUNDLE_CORRUPT",
        message: "the manifest does not list this file",
      });
    }
  });
});

describe("updateManifest", () => {
  it("adds what was measured and leaves the rest", () => {
    const { folder, bundle } = written();
    const measured = { latencyCycles: 5, intervalCycles: 3, simulator: "Verilator 5" };
    updateManifest(bundle, { measured });
    const again = readBundle(folder);
    expect(again.manifest).toEqual({ ...bundle.manifest, measured });
    again.verifyAll();
    expect(readdirSync(folder).filter((name) => name.includes("tmp"))).toEqual([]);
  });

  it("says so where it cannot write", () => {
    const { folder, bundle } = written();
    rmSync(folder, { recursive: true });
    const measured = { latencyCycles: 5, intervalCycles: 3, simulator: "Verilator 5" };
    expect(problemOf(() => updateManifest(bundle, { measured }))?.code).toBe("N2F_FILE_WRITE");
  });
});

describe("withFiles", () => {
  it("puts files over those of a bundle, in memory", () => {
    const { folder, bundle } = written();
    const changed = withFiles(bundle, new Map([["rtl/n2f_pipe.sv", "other"]]), { top: "x" });
    expect(new TextDecoder().decode(changed.read("rtl/n2f_pipe.sv"))).toBe("other");
    expect(changed.read("golden/inputs.bin")).toEqual(bundle.read("golden/inputs.bin"));
    expect(changed.manifest.kernel).toEqual({ ...bundle.manifest.kernel, top: "x" });
    expect(changed.manifest.files["rtl/n2f_pipe.sv"].sizeBytes).toBe(5);
    const onDisk = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as Manifest;
    expect(onDisk).toEqual(bundle.manifest);
  });
});
