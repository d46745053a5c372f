import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Nn2fpgaError } from "../../../src/base/index.ts";
import { readModel } from "../../../src/onnx/index.ts";
import { readArrays } from "../../../src/tensor/index.ts";
import { sharedPath } from "../../support/shared.ts";

/** Models that are older than the operators we know. */
const refused: Readonly<Record<string, string>> = {
  "corpus/onnx_conformance/node/test_not_2d/model.onnx": "N2F_ONNX_OPSET",
  "corpus/onnx_conformance/node/test_not_3d/model.onnx": "N2F_ONNX_OPSET",
};

function filesWith(folder: string, ending: RegExp): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => ending.test(file))
    .map((file) => join(folder, file));
}

/** The code of each file that could not be read, by its path in `shared`. */
function problemsOf(files: readonly string[], read: (path: string) => unknown) {
  const shared = sharedPath() ?? "";
  const problems: Record<string, string> = {};
  for (const file of files) {
    try {
      read(file);
    } catch (error) {
      if (!(error instanceof Nn2fpgaError)) throw error;
      problems[file.slice(shared.length)] = error.problems.map(({ code }) => code).join();
    }
  }
  return problems;
}

const corpus = sharedPath("corpus");
const workloads = sharedPath("workloads");

test.skipIf(corpus === undefined)("all models of the corpus are read (needs shared/corpus)", () => {
  const models = filesWith(corpus as string, /\.onnx$/);
  expect(models.length).toBeGreaterThan(1000);
  expect(problemsOf(models, readModel)).toEqual(refused);
});

test.skipIf(corpus === undefined)("so are their inputs and outputs (needs shared/corpus)", () => {
  const arrays = filesWith(corpus as string, /\.(pb|npy|npz)$/);
  expect(arrays.length).toBeGreaterThan(3000);
  expect(problemsOf(arrays, (path) => readArrays(path))).toEqual({});
});

test.skipIf(workloads === undefined)("and the workloads (needs shared/workloads)", () => {
  const folder = workloads as string;
  expect(problemsOf(filesWith(folder, /\.onnx$/), readModel)).toEqual({});
  expect(problemsOf(filesWith(folder, /\.np[yz]$/), (path) => readArrays(path))).toEqual({});
});
