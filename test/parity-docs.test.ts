import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { problemCodes } from "../src/base/index.ts";
import { conditions } from "../src/onnx/rules/conditions.ts";
import { networkOperators, quantizedOperators, rules } from "../src/onnx/rules/index.ts";
import { operatorsPage } from "./conformance/operators-page.ts";
import { readResults } from "./conformance/results.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const read = (...path: readonly string[]): string => readFileSync(join(root, ...path), "utf8");

/** Folders of the repository's own, with all inside them. */
function foldersIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [`${folder}/${entry.name}`, ...foldersIn(`${folder}/${entry.name}`)] : [],
  );
}

describe("docs/errors.md", () => {
  const titles = Array.from(read("docs", "errors.md").matchAll(/^## (\S+)$/gm), ([, code]) => code);

  test("has a paragraph for every code and for nothing else, in the same order", () => {
    expect(titles).toEqual([...problemCodes]);
  });

  test("has an example of each", () => {
    const text = read("docs", "errors.md");
    expect(problemCodes.filter((code) => !text.includes(`\n${code}: `))).toEqual([]);
  });

  test("codes stand in alphabetical order", () => {
    expect([...problemCodes]).toEqual(problemCodes.toSorted((a, b) => a.localeCompare(b)));
  });
});

describe("docs/operators.md", () => {
  test("is what the code and the last run of the ONNX cases say (npm run docs)", () => {
    expect(read("docs", "operators.md")).toBe(operatorsPage(readResults()));
  });

  test("conditions are told of every operator that is read, and of no other", () => {
    const read = new Set(rules.map(({ op }) => op));
    const told = Object.keys(conditions).filter((op) => !op.includes(":"));
    expect(told.sort()).toEqual([...read].sort());
  });

  test("what every operator becomes was seen", () => {
    const { operators } = readResults();
    const known = [...networkOperators, ...quantizedOperators];
    const unseen = known.filter((op) => (operators[op]?.becomes ?? []).length === 0);
    expect(unseen).toEqual(withoutHardware);
  });

  test("has the totals of conformance.md", () => {
    const { totals } = readResults();
    const [float, fixed] = [totals.float, totals.fixed].map(([good, all]) => `${good} of ${all} (`);
    const page = read("docs", "conformance.md").replaceAll(/\s+/g, " ");
    expect(page).toContain(float);
    expect(page).toContain(fixed);
  });
});

/** Operators of which nothing is left in hardware. */
const withoutHardware = ["Dropout", "EyeLike", "Identity"];

describe("docs/configuration.md", () => {
  test("has every key of the schema", () => {
    const schema = JSON.parse(read("schema", "config.schema.json"));
    const { Calibration, ...model } = schema.properties.Model.properties;
    const keys = [
      ...Object.keys(model).map((key) => `Model.${key}`),
      ...Object.keys(Calibration.properties).map((key) => `Model.Calibration.${key}`),
      ...Object.keys(schema.properties.LayerName.additionalProperties.properties).map(
        (key) => `LayerName.NAME.${key}`,
      ),
    ];
    const text = read("docs", "configuration.md");
    expect(keys.filter((key) => !text.includes(`| \`${key}\` |`))).toEqual([]);
  });
});

describe("READMEs and links", () => {
  const own = ["src", "examples", "hw", "schema", "scripts", "templates", "test", "docs"];

  test("every folder of src, and every folder beside it, has a README", () => {
    const folders = [...foldersIn("src"), ...own, "examples/01-jet-tagger", "examples/02-facile"];
    const bare = folders.filter((folder) => !existsSync(join(root, folder, "README.md")));
    expect(bare.filter((folder) => folder !== "src")).toEqual([]);
  });

  const pages = [
    ...["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"],
    ...own.flatMap((folder) => [folder, ...foldersIn(folder)]).flatMap(pagesIn),
  ];

  test.each(pages)("%s links to what is there", (page) => {
    const text = read(page).replaceAll(/^```.*?^```/gms, "");
    const targets = Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, target]) => target);
    const files = targets.filter((target) => !/^[a-z]+:/.test(target) && !target.startsWith("#"));
    const missing = files.filter((target) => {
      const [path, anchor] = target.split("#");
      const file = join(root, dirname(page), path);
      return !existsSync(file) || (anchor !== undefined && !hasAnchor(file, anchor));
    });
    expect(missing).toEqual([]);
  });

  test("no page speaks of a machine's own folders", () => {
    const wrong = pages.filter((page) => /\/(work|home|root|tmp)\/\w/.test(read(page)));
    expect(wrong).toEqual([]);
  });
});

function pagesIn(folder: string): string[] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => relative(root, join(root, folder, name)));
}

/** Whether a page has a title that links may name so. */
function hasAnchor(file: string, anchor: string): boolean {
  const titles = readFileSync(file, "utf8").matchAll(/^#+ (.+)$/gm);
  return Array.from(titles, ([, title]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  ).includes(anchor);
}
