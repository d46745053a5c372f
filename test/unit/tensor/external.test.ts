import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { externalData } from "../../../src/tensor/index.ts";
import { problemOf } from "../../support/problem.ts";
import { temporaryFolder } from "../../support/temporary.ts";

interface Place {
  readonly location: string;
  readonly offset?: string;
  readonly length?: string;
}

/** A model's folder with eight bytes beside the model, a folder below, and a secret outside. */
function build(): { root: string; fetch: (place: Place, byteCount?: number) => Uint8Array } {
  const root = temporaryFolder();
  mkdirSync(join(root, "home/below"), { recursive: true });
  const model = join(root, "home/model.onnx");
  writeFileSync(model, "");
  writeFileSync(join(root, "home/w.bin"), Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7));
  writeFileSync(join(root, "home/below/w.bin"), Uint8Array.of(9));
  writeFileSync(join(root, "secret"), "secret");
  symlinkSync(join(root, "secret"), join(root, "home/link"));
  symlinkSync(join(root, "home/w.bin"), join(root, "home/inner-link"));
  return {
    root,
    fetch: ({ location, offset, length }, byteCount = 2) =>
      externalData(model)({ label: 'tensor "w"', location, offset, length, byteCount }),
  };
}

test("a part of a file beside the model", () => {
  const { fetch } = build();
  expect([...fetch({ location: "w.bin", offset: "3", length: "2" })]).toEqual([3, 4]);
  expect([...fetch({ location: "./w.bin" })]).toEqual([0, 1]);
  expect([...fetch({ location: "below/w.bin" }, 1)]).toEqual([9]);
  expect([...fetch({ location: "inner-link", offset: "6" })]).toEqual([6, 7]);
});

test("the folder that the model is a link into, as download caches have it", () => {
  const { root } = build();
  mkdirSync(join(root, "snapshot"));
  symlinkSync(join(root, "home/model.onnx"), join(root, "snapshot/model.onnx"));
  symlinkSync(join(root, "home/w.bin"), join(root, "snapshot/w.bin"));
  const fetch = externalData(join(root, "snapshot/model.onnx"));
  const place = { label: "w", location: "w.bin", offset: undefined, length: undefined };
  expect([...fetch({ ...place, byteCount: 2 })]).toEqual([0, 1]);
});

describe("refuses", () => {
  test.each<[string, Place, string]>([
    ["the folder above", { location: "../secret" }, "not a file inside the model's folder"],
    ["a way around", { location: "below/../../secret" }, "not a file inside"],
    ["an absolute path", { location: "/etc/passwd" }, "not a file inside"],
    ["a drive", { location: "C:\\secret" }, "not a file inside"],
    ["backslashes", { location: "..\\secret" }, "not a file inside"],
    ["no name", { location: "" }, "not a file inside"],
    ["a zero byte", { location: "w.bin\0" }, "not a file inside"],
    ["a link out of the folder", { location: "link" }, "a link out of the model's folder"],
    ["a folder", { location: "below" }, "which is no file"],
    ["a missing file", { location: "none.bin" }, "no such file"],
    [
      "a short file",
      { location: "w.bin", offset: "7" },
      'needs 2 bytes at 7 of "w.bin", which has 8',
    ],
    ["an offset of exabytes", { location: "w.bin", offset: "99999999999999999999" }, "asks for"],
    ["a negative offset", { location: "w.bin", offset: "-1" }, "asks for 2 bytes at -1"],
    ["a length that is not the tensor's", { location: "w.bin", length: "4" }, "asks for 4 bytes"],
  ])("%s", (_, place, message) => {
    const { fetch } = build();
    const problem = problemOf(() => fetch(place));
    expect(problem?.code).toBe("N2F_ONNX_EXTERNAL");
    expect(problem?.message).toContain(message);
    expect(problem?.hint).toBeDefined();
  });
});
