// Measures what `--precision auto` saves, and writes the table of docs/configuration.md.
//
//   npm run precision             all of it: minutes
//   npm run precision -- mnist    rows with this word alone
//
// Networks beside the clone, in `shared/corpus`, are measured where they are there; their rows stay otherwise.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const corpus = join(root, "..", "shared", "corpus");
const work = mkdtempSync(join(tmpdir(), "nn2fpga-precision-"));
const page = join(root, "docs", "configuration.md");

const tagger = {
  title: "jet tagger of `examples/01-jet-tagger`, its calibration data",
  model: join(root, "examples/01-jet-tagger/model.onnx"),
  options: ["--calibration", join(root, "examples/01-jet-tagger/data/calibration.npy")],
};
const digits = {
  title: "mnist-8 of the ONNX zoo, 100 test images",
  model: join(corpus, "models/mnist-cntk-8/model.onnx"),
  options: ["--architecture", "stream", "--calibration", join(work, "digits.csv")],
};
const keywords = {
  title: "keyword spotting (micro-kws), scores before the softmax, standard-normal inputs",
  model: join(corpus, "models/micro-kws-fp32-and-qdq/fp32.onnx"),
  options: ["--architecture", "stream", "--until", "Add__25:0"],
};

const runs = [
  [tagger, "sqnr", 30],
  [tagger, "sqnr", 40],
  [tagger, "agreement", 99],
  [tagger, "agreement", 99.5],
  [digits, "sqnr", 30],
  [keywords, "sqnr", 30],
];

const images = join(corpus, "data/mnist_test_100.csv");
if (existsSync(images)) {
  // The first column is the label.
  const rows = readFileSync(images, "utf8").trim().split("\n");
  writeFileSync(
    join(work, "digits.csv"),
    rows.map((row) => row.slice(row.indexOf(",") + 1)).join("\n"),
  );
}

const word = process.argv[2] ?? "";
const text = readFileSync(page, "utf8");
const head =
  "| network, data | target | uniform width that meets it | bit operations less | networks measured |";
const [before, rest] = text.split(`${head}\n`);
if (rest === undefined) throw new Error(`${page} has no table with the titles ${head}`);
const [rule, ...lines] = rest.split("\n");
const old = lines.slice(0, lines.indexOf(""));
const rows = runs.map(([network, kind, value], i) => {
  if (!existsSync(network.model) || !network.title.includes(word)) return old[i];
  const made = measure(network, kind, value);
  process.stdout.write(`${made}\n`);
  return made;
});
writeFileSync(page, [`${before}${head}`, rule, ...rows, ...lines.slice(old.length)].join("\n"));
rmSync(work, { recursive: true });

function measure({ title, model, options }, kind, value) {
  const args = ["compile", model, "-o", join(work, "out.n2f"), ...options];
  const target = ["--precision", "auto", `--target-${kind}`, String(value), "--json"];
  const run = spawnSync(process.execPath, [join(root, "bin/nn2fpga.js"), ...args, ...target], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (run.status !== 0) throw new Error(run.stderr);
  const { search } = JSON.parse(run.stdout);
  const less = (100 * (1 - search.cost / search.uniform.cost)).toFixed(1);
  const wanted = kind === "sqnr" ? `${value} dB SQNR` : `${value} % agreement`;
  return `| ${title} | ${wanted} | ${search.uniform.widthBits} | ${less} % | ${search.trials} |`;
}
