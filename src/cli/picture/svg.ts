import type { NodeReport, ValueReport } from "../../onnx/index.ts";
import type { PlacedBox, PlacedEdge, Placement } from "./layout.ts";

/** What stands above the picture. */
export interface PictureTitle {
  readonly name: string;
  readonly summary: string;
}

const headHeight = 78;
const leastWidth = 640;

/** A picture of a network that needs nothing but itself: styles inside, tooltips as titles. */
export function renderSvg(placement: Placement, { name, summary }: PictureTitle): string {
  const width = Math.ceil(Math.max(placement.width, leastWidth));
  const height = Math.ceil(placement.height + headHeight);
  const shift = Math.max(0, (width - placement.width) / 2);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${xmlText(name)}">
<style>${style}</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0.8L8,4L0,7.2z" class="tip"/></marker></defs>
<rect class="page" width="${width}" height="${height}"/>
<text class="title" x="24" y="30">${xmlText(clip(name, 60))}</text>
<text class="summary" x="24" y="49">${xmlText(clip(summary, Math.floor((width - 48) / 5.6)))}</text>
${legend()}
<g transform="translate(${shift.toFixed(1)},${headHeight})">
${placement.edges.map(edge).join("\n")}
${placement.boxes.map(box).join("\n")}
</g>
</svg>
`;
}

const style = `
svg{font-family:"Inter","Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.page{fill:#fbfbfd}.title{font-size:17px;font-weight:650;fill:#1c2333}.summary,.key{font-size:11.5px;fill:#5a6478}
.box rect{stroke-width:1.3}.op{font-size:13px;font-weight:650}.line{font-size:10.5px}.name{font-size:10px}
.supported rect{fill:#e4f4ea;stroke:#3f9a68}.supported .op{fill:#12502f}.supported text{fill:#2f6a4a}
.unsupported rect{fill:#fde6e3;stroke:#d1453b;stroke-width:2}.unsupported .op{fill:#8c1d15}.unsupported text{fill:#9a3a32}
.unknown rect{fill:#fdf3d8;stroke:#c9971c;stroke-dasharray:5 3}.unknown .op{fill:#6d4f05}.unknown text{fill:#86661a}
.port rect{fill:#e6edfb;stroke:#4670c4}.port .op{font-size:12px;fill:#1f3f83}.port text{fill:#45609b}
.edge{fill:none;stroke:#7b8598;stroke-width:1.3;marker-end:url(#tip)}
.tip{fill:#7b8598}.extent{font-size:9.5px;fill:#5a6478;paint-order:stroke;stroke:#fbfbfd;stroke-width:3.5px}
.box:hover rect{stroke-width:2.6}
@media (prefers-color-scheme:dark){
.page{fill:#14171e}.title{fill:#eef1f7}.summary,.key{fill:#a3adbf}.extent{fill:#a3adbf;stroke:#14171e}
.supported rect{fill:#17382a;stroke:#4cb57e}.supported .op{fill:#c9f2da}.supported text{fill:#9fd6b7}
.unsupported rect{fill:#46201d;stroke:#f0665b}.unsupported .op{fill:#ffd3cf}.unsupported text{fill:#f3a9a2}
.unknown rect{fill:#3d3213;stroke:#d9ad3c}.unknown .op{fill:#ffe9b0}.unknown text{fill:#e2c67c}
.port rect{fill:#1b2a4b;stroke:#6f97e6}.port .op{fill:#d3e0ff}.port text{fill:#a8bfef}
.edge{stroke:#8a94a8}.tip{fill:#8a94a8}}
`.trim();

function legend(): string {
  const entries = [
    ["supported", "becomes hardware"],
    ["unknown", "depends on what is not supported"],
    ["unsupported", "not supported"],
  ];
  let x = 24;
  const parts = entries.map(([kind, text]) => {
    const at = x;
    x += 34 + text.length * 6;
    return `<g class="box ${kind}"><rect x="${at}" y="58" width="15" height="11" rx="3"/></g><text class="key" x="${at + 20}" y="67.5">${text}</text>`;
  });
  return parts.join("");
}

function box({ box, x, y, width, height }: PlacedBox): string {
  const left = x - width / 2;
  const top = y - height / 2;
  const rect = (rx: number) =>
    `<rect x="${n(left)}" y="${n(top)}" width="${n(width)}" height="${n(height)}" rx="${rx}"/>`;
  const text = (kind: string, dy: number, content: string) =>
    content === ""
      ? ""
      : `<text class="${kind}" x="${n(x)}" y="${n(top + dy)}" text-anchor="middle">${xmlText(content)}</text>`;
  if (box.kind === "port") {
    const tip = `${box.isInput ? "input" : "output"} ${box.name}\n${box.type}`;
    return `<g class="box port"><title>${xmlText(tip)}</title>${rect(16)}${text("op", 14, clip(box.name, 24))}${text("line", 26, clip(box.type, 30))}</g>`;
  }
  const { node } = box;
  const title = `<title>${xmlText(describe(node))}</title>`;
  return `<g class="box ${node.status}">${title}${rect(8)}${text("op", 18, clip(node.opType, 24))}${text("line", 33, clip(costLine(node), 36))}${text("name", 48, clipLeft(node.name, 36))}</g>`;
}

/** The line in the middle: why not, or what it becomes and costs. */
function costLine(node: NodeReport): string {
  if (node.status === "unsupported") return node.reason ?? "not supported";
  if (node.status === "unknown") return "inputs not known";
  const parts = [
    node.format ?? "",
    node.macs > 0 ? `${count(node.macs)} MAC` : "",
    // A scale or a factor by itself says nothing.
    node.parameters > 1 ? `${count(node.parameters)} param` : "",
  ].filter((part) => part !== "");
  const kernels = [...new Set(node.kernel)].join(", ");
  return parts.length > 0 ? parts.join(" · ") : kernels || "wires only";
}

/** Everything that is known of a node, line by line; what the tooltip shows. */
export function describe(node: NodeReport): string {
  const value = ({ name, shape, dtype, isConstant }: ValueReport) =>
    `  ${name}${shape === undefined ? "" : `  ${dtype} [${shape.join(", ")}]`}${isConstant ? "  constant" : ""}`;
  const operator = node.domain === "" ? node.opType : `${node.domain}.${node.opType}`;
  return [
    `${operator}${node.opset === undefined ? "" : ` (opset ${node.opset})`}  ${node.name}`,
    ...(node.kernel.length > 0 ? [`becomes ${node.kernel.join(", ")}`] : []),
    ...(node.status === "unknown" ? ["not judged: its inputs are not known"] : []),
    ...(node.reason === undefined ? [] : [`not supported: ${node.reason}`, `hint: ${node.hint}`]),
    ...(node.format === undefined ? [] : [`format: ${node.format}`]),
    ...(node.parameters > 0 ? [`parameters: ${node.parameters.toLocaleString("en")}`] : []),
    ...(node.macs > 0 ? [`MACs: ${node.macs.toLocaleString("en")}`] : []),
    ...(node.inputs.length > 0 ? ["reads", ...node.inputs.map(value)] : []),
    "makes",
    ...node.outputs.map(value),
  ].join("\n");
}

function edge({ points, value }: PlacedEdge): string {
  const path = smooth(points);
  const middle = points[Math.floor(points.length / 2)];
  const shape = value.shape === undefined ? "" : value.shape.join("×");
  const label =
    shape === ""
      ? ""
      : `<text class="extent" x="${n(middle.x + 5)}" y="${n(middle.y + 3)}">${shape}</text>`;
  return `<path class="edge" d="${path}"/>${label}`;
}

/** A line through the middles of its parts, rounded at its corners. */
function smooth(points: PlacedEdge["points"]): string {
  const [first, ...rest] = points;
  let path = `M${n(first.x)},${n(first.y)}`;
  rest.slice(0, -1).forEach((point, i) => {
    const next = rest[i + 1];
    const isLast = i === rest.length - 2;
    const end = isLast ? next : { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 };
    path += `Q${n(point.x)},${n(point.y)} ${n(end.x)},${n(end.y)}`;
  });
  const last = rest.at(-1);
  return rest.length === 1 && last ? `${path}L${n(last.x)},${n(last.y)}` : path;
}

/** `1.2 M`, `34 k`, `560`. */
export function count(value: number): string {
  if (value >= 1e9) return `${Number((value / 1e9).toPrecision(3))} G`;
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  return value >= 1e4 ? `${Number((value / 1e3).toPrecision(3))} k` : String(value);
}

const n = (value: number): string => String(Number(value.toFixed(1)));

function clip(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** Long names differ at their ends. */
function clipLeft(text: string, most: number): string {
  return text.length <= most ? text : `…${text.slice(text.length - most + 1)}`;
}

/** Text that XML takes, whatever a model has in its names. */
export function xmlText(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll(/(?![\n\t])\p{Cc}|[\ufffe\uffff]|\p{Cs}/gu, "\ufffd");
}
