import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { placeModel } from "../../../src/cli/picture/layout.ts";
import { renderSvg } from "../../../src/cli/picture/svg.ts";
import { transposesOf } from "../../../src/cli/remaining-transposes.ts";
import { parseGraph } from "../../../src/ir/index.ts";
import { surveyModel } from "../../../src/onnx/index.ts";
import { ops } from "../../../src/ops/index.ts";
import { runCli } from "../../support/cli.ts";
import { tinyNetwork, unsupportedNetwork } from "../../support/onnx-models.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { modelOf, node, tensor } from "../onnx/import-fixtures.ts";

/** Two branches, one of them with a node that is not supported, and a name that means harm. */
const branches = modelOf({
  nodes: [
    node("Relu", ["x"], ["a"], {}, "<script>alert(1)</script>"),
    node("NoSuchOperator", ["a"], ["b"], {}, "strange"),
    node("Sigmoid", ["b"], ["c"]),
    node("Transpose", ["w"], ["wt"]),
    node("MatMul", ["a", "wt"], ["d"], {}, 'say "hi" & go'),
  ],
  outputs: ["c", "d"],
  constants: { w: tensor([2, 4], [1, 2, 3, 4, 5, 6, 7, 8]) },
});

describe("the picture of a network", () => {
  const nodes = surveyModel(branches);
  const placed = placeModel(branches, nodes);
  const svg = renderSvg(placed, { name: "net", summary: "" });

  test("has a box for each input, output and node that is not constant, and a line for each reading", () => {
    expect(placed.boxes.map(({ box }) => (box.kind === "port" ? box.name : box.node.name))).toEqual(
      ["x", "<script>alert(1)</script>", "strange", "c", 'say "hi" & go', "c", "d"],
    );
    expect(placed.edges).toHaveLength(6);
  });

  test("keeps boxes apart, inside, and below those that they read", () => {
    const { boxes, width, height } = placed;
    boxes.forEach((one, i) => {
      expect(one.x - one.width / 2).toBeGreaterThanOrEqual(0);
      expect(one.x + one.width / 2).toBeLessThanOrEqual(width);
      expect(one.y + one.height / 2).toBeLessThanOrEqual(height);
      for (const other of boxes.slice(i + 1)) {
        const isApart =
          Math.abs(one.x - other.x) >= (one.width + other.width) / 2 ||
          Math.abs(one.y - other.y) >= (one.height + other.height) / 2;
        expect(isApart).toBe(true);
      }
    });
    for (const { points } of placed.edges) {
      expect(points.at(-1)?.y).toBeGreaterThan(points[0].y);
    }
  });

  test("colours by what becomes of a node, and says why in its tooltip", () => {
    const classes = Array.from(svg.matchAll(/<g class="box (\w+)"><title>([^<]*)/g));
    expect(classes.map(([, kind]) => kind)).toEqual([
      "port",
      "supported",
      "unsupported",
      "unknown",
      "supported",
      "port",
      "port",
    ]);
    expect(classes[2][2]).toMatch(
      /^NoSuchOperator \(opset 13\) {2}strange\nnot supported: .+\nhint: /,
    );
  });

  test("shows names as text, whatever is in them", () => {
    expect(svg).not.toContain("<script");
    expect(svg).toContain("say &quot;hi&quot; &amp; go");
  });

  test("is the same each time", () => {
    expect(renderSvg(placeModel(branches, nodes), { name: "net", summary: "" })).toBe(svg);
  });

  test("of a hundred layers takes no time to speak of", () => {
    const count = 300;
    const chain = modelOf({
      nodes: Array.from({ length: count }, (_, i) =>
        node("Add", [i === 0 ? "x" : `v${i - 1}`, i < 3 ? "x" : `v${i - 3}`], [`v${i}`]),
      ),
      outputs: [`v${count - 1}`],
    });
    const start = process.cpuUsage();
    const { boxes } = placeModel(chain, surveyModel(chain));
    expect(boxes).toHaveLength(count + 2);
    expect(process.cpuUsage(start).user).toBeLessThan(10e6);
  });
});

describe("inspect", () => {
  test.each(["net.svg", "net.html"])("writes %s and says so", async (name) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "model.onnx"), tinyNetwork());
    const picture = join(folder, name);
    const { exitCode, stdout } = await runCli([
      "inspect",
      join(folder, "model.onnx"),
      "--picture",
      picture,
    ]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`picture: ${picture}`);
    expect(existsSync(picture)).toBe(true);
    expect(readFileSync(picture, "utf8")).toContain(">Gemm</text>");
  });

  test("tells of a model that cannot be imported all that is known", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "model.onnx"), unsupportedNetwork());
    const { exitCode, stdout } = await runCli(["inspect", join(folder, "model.onnx"), "--json"]);
    const report = JSON.parse(stdout);
    expect(exitCode).toBe(0);
    expect(report.totals.unsupported).toBe(2);
    expect(report.transposes).toBeNull();
    expect(report.nodes.every(({ inputs }: { inputs: unknown[] }) => inputs.length > 0)).toBe(true);
  });
});

test("transpositions that move something are told, with what streams must buffer", () => {
  const graph = parseGraph(
    `graph "g" {
  input "x": float[1,4,6] from "x" "Input"
  "a": float[4,1,6] = transpose("x") {perm=[1, 0, 2]} from "wires" "Transpose"
  "y": float[6,1,4] = transpose("a") {perm=[2, 1, 0]} from "turn" "Transpose"
  output "y" = "y"
}
`,
    ops,
  );
  expect(transposesOf(graph)).toEqual([
    { name: "y", node: "turn", shape: [6, 1, 4], perm: [2, 1, 0], bufferedBits: 24 * 16 },
  ]);
});
