/** One bar of each group: a layer's share of cost, or of error. */
export interface LayerBar {
  /** The node of the user's model. */
  readonly node: string;
  /** `8 x 6`: bits of what is multiplied. */
  readonly widths: string;
  /** Bit operations with the widths found, and with the uniform width that meets the same target. */
  readonly cost: number;
  readonly uniformCost: number;
  /** Share of the network's error power that comes from this layer's weights and argument, 0 to 1. */
  readonly errorShare: number;
}

const [rowHeight, labelWidth, barWidth, gap] = [34, 230, 260, 40];
const colors = {
  uniform: "#c9d3df",
  found: "#2f6f9f",
  error: "#c8553d",
  text: "#222",
  faint: "#667",
};

/** Error and cost by layer, as a picture (SVG). */
export function plotLayers(title: string, bars: readonly LayerBar[]): string {
  const width = labelWidth + 2 * barWidth + gap + 110;
  const height = 90 + bars.length * rowHeight + 20;
  const mostCost = Math.max(...bars.flatMap((bar) => [bar.cost, bar.uniformCost]), 1);
  const mostError = Math.max(...bars.map((bar) => bar.errorShare), 1e-9);
  const errorX = labelWidth + barWidth + gap + 60;
  const rows = bars.map((bar, i) => {
    const y = 90 + i * rowHeight;
    const length = (value: number, most: number) => ((value / most) * barWidth).toFixed(1);
    return [
      text(labelWidth - 12, y + 11, shorten(bar.node), { anchor: "end" }),
      text(labelWidth - 12, y + 25, `${bar.widths} bits`, {
        anchor: "end",
        size: 10,
        color: colors.faint,
      }),
      rect(labelWidth, y, length(bar.uniformCost, mostCost), 11, colors.uniform),
      rect(labelWidth, y + 13, length(bar.cost, mostCost), 11, colors.found),
      text(
        labelWidth + Number(length(Math.max(bar.cost, bar.uniformCost), mostCost)) + 6,
        y + 17,
        compact(bar.cost),
        {
          size: 10,
          color: colors.faint,
        },
      ),
      rect(errorX, y + 4, length(bar.errorShare, mostError), 16, colors.error),
      text(
        errorX + Number(length(bar.errorShare, mostError)) + 6,
        y + 17,
        `${(bar.errorShare * 100).toFixed(1)} %`,
        {
          size: 10,
          color: colors.faint,
        },
      ),
    ].join("\n");
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    text(20, 28, title, { size: 16 }),
    text(labelWidth, 60, "cost in bit operations", { color: colors.text }),
    rect(labelWidth, 68, "10", 10, colors.uniform),
    text(labelWidth + 15, 77, "uniform width", { size: 10, color: colors.faint }),
    rect(labelWidth + 100, 68, "10", 10, colors.found),
    text(labelWidth + 115, 77, "widths found", { size: 10, color: colors.faint }),
    text(errorX, 60, "share of the error", { color: colors.text }),
    ...rows,
    "</svg>",
    "",
  ].join("\n");
}

function rect(x: number, y: number, width: string, height: number, fill: string): string {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${fill}"/>`;
}

interface TextStyle {
  readonly anchor?: string;
  readonly size?: number;
  readonly color?: string;
}

function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  const { anchor = "start", size = 12, color = colors.text } = style;
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}" fill="${color}">${escapeXml(content)}</text>`;
}

/** A model's names may hold anything. */
function escapeXml(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function compact(value: number): string {
  const units = ["", " k", " M", " G", " T"];
  let [rest, unit] = [value, 0];
  while (rest >= 1000 && unit + 1 < units.length) {
    rest /= 1000;
    unit++;
  }
  return `${Number(rest.toPrecision(3))}${units[unit]}`;
}

/** A name that fits beside the bars: its ends, which tell nodes apart. */
function shorten(name: string): string {
  const most = 32;
  return name.length <= most ? name : `${name.slice(0, most / 2 - 1)}…${name.slice(-most / 2)}`;
}
