/** Points of one line. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Dashed lines across: a ceiling, say. */
  readonly levels?: readonly { readonly y: number; readonly label: string }[];
  /** Dashed lines from top to bottom, in the colour of the series of that index. */
  readonly marks?: readonly {
    readonly x: number;
    readonly label: string;
    readonly series: number;
  }[];
  readonly yScale?: "linear" | "log";
}

const [width, height] = [560, 340];
const plot = { left: 64, right: 20, top: 64, bottom: 50 };
const [innerWidth, innerHeight] = [width - plot.left - plot.right, height - plot.top - plot.bottom];
const colors = ["#2f6f9f", "#c8553d", "#5b8c5a", "#8a5a9e", "#b8862b", "#4a4e69"];

/** A chart of lines as SVG; x is logarithmic, as numbers of clients are chosen. Colours follow the page's. */
export function lineChart({ title, xLabel, yLabel, series, ...more }: Chart): string {
  const { levels = [], marks = [], yScale = "linear" } = more;
  const all = series.flatMap(({ points }) => points);
  const xs = all.map(([x]) => x);
  const ys = [...all.map(([, y]) => y), ...levels.map(({ y }) => y)];
  const x = logScale(Math.min(...xs), Math.max(...xs), innerWidth);
  const y =
    yScale === "log"
      ? logScale(Math.min(...ys.filter((value) => value > 0)), Math.max(...ys) * 1.1, innerHeight)
      : linearScale(Math.max(...ys) * 1.08, innerHeight);
  const px = (value: number) => plot.left + x.place(value);
  const py = (value: number) => plot.top + innerHeight - y.place(value);
  const [bottom, right] = [plot.top + innerHeight, plot.left + innerWidth];
  const grid = [
    ...y.ticks.flatMap((tick) => [
      line(plot.left, py(tick), right, py(tick), "grid"),
      text(plot.left - 8, py(tick) + 4, plain(tick), "tick", "end"),
    ]),
    ...x.ticks.map((tick) => text(px(tick), bottom + 18, plain(tick), "tick", "middle")),
    ...x.ticks.map((tick) => line(px(tick), plot.top, px(tick), bottom, "grid")),
  ];
  const lines = series.flatMap(({ points }, i) => {
    const color = colors[i % colors.length];
    const path = points.map((point) => `${fixed(px(point[0]))},${fixed(py(point[1]))}`).join(" ");
    return [
      `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2.2" stroke-linejoin="round"/>`,
      ...points.map(
        ([a, b]) =>
          `<circle cx="${fixed(px(a))}" cy="${fixed(py(b))}" r="3.2" fill="${color}"><title>${plain(a)}: ${plain(b)}</title></circle>`,
      ),
    ];
  });
  const inRange = (value: number) => value >= Math.min(...xs) && value <= Math.max(...xs);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title)}">`,
    text(plot.left, 22, title, "title"),
    ...legend(series),
    ...grid,
    line(plot.left, bottom, right, bottom, "axis"),
    ...levels.flatMap(({ y: value, label }) => [
      line(plot.left, py(value), right, py(value), "level"),
      text(plot.left + 6, py(value) - 5, label, "tick"),
    ]),
    ...marks
      .filter((mark) => inRange(mark.x))
      .flatMap(({ x: value, label, series: at }) => [
        line(px(value), plot.top, px(value), bottom, "level", colors[at % colors.length]),
        // One above the other; where there is no room to the right, to the left.
        px(value) + 6.2 * label.length > right
          ? text(px(value) - 5, bottom - 8 - 14 * at, label, "tick", "end")
          : text(px(value) + 5, bottom - 8 - 14 * at, label, "tick"),
      ]),
    ...lines,
    text(plot.left + innerWidth / 2, height - 10, xLabel, "label", "middle"),
    `<text class="label" text-anchor="middle" transform="translate(16 ${plot.top + innerHeight / 2}) rotate(-90)">${escapeXml(yLabel)}</text>`,
    "</svg>",
  ].join("\n");
}

interface Scale {
  /** From the axis's origin, in pixels. */
  place(value: number): number;
  readonly ticks: readonly number[];
}

function linearScale(most: number, length: number): Scale {
  const top = most > 0 ? most : 1;
  const step = niceStep(top / 5);
  return {
    place: (value) => (value / top) * length,
    ticks: Array.from({ length: Math.floor(top / step) + 1 }, (_, i) => i * step),
  };
}

/** Ticks at 1, 2 and 5 of each power of ten; at powers alone where there are many. */
function logScale(least: number, most: number, length: number): Scale {
  const low = Math.log10(least);
  const high = Math.max(Math.log10(most), low + 0.1);
  const steps = high - low > 3 ? [1] : [1, 2, 5];
  const powers = Array.from(
    { length: Math.ceil(high) - Math.floor(low) + 1 },
    (_, i) => 10 ** (Math.floor(low) + i),
  );
  return {
    place: (value) => ((Math.log10(value) - low) / (high - low)) * length,
    ticks: powers
      .flatMap((power) => steps.map((step) => step * power))
      .filter((tick) => tick >= least * 0.999 && tick <= 10 ** high * 1.001),
  };
}

/** 1, 2 or 5 times a power of ten, at least `step`. */
function niceStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return ([1, 2, 5, 10].find((factor) => factor * power >= step) ?? 10) * power;
}

function legend(series: readonly Series[]): string[] {
  let x = plot.left;
  return series.flatMap(({ name }, i) => {
    const at = x;
    x += 34 + 6.6 * name.length;
    return [
      `<rect x="${at}" y="36" width="14" height="4" rx="2" fill="${colors[i % colors.length]}"/>`,
      text(at + 20, 42, name, "tick"),
    ];
  });
}

function line(
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  kind: string,
  color?: string,
): string {
  const stroke = color === undefined ? "" : ` style="stroke:${color}"`;
  return `<line class="${kind}" x1="${fixed(x1)}" y1="${fixed(y1)}" x2="${fixed(x2)}" y2="${fixed(y2)}"${stroke}/>`;
}

function text(x: number, y: number, content: string, kind: string, anchor = "start"): string {
  return `<text class="${kind}" x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}">${escapeXml(content)}</text>`;
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function plain(value: number): string {
  const digits = Number(value.toPrecision(4));
  return digits >= 1e6 ? `${Number((digits / 1e6).toPrecision(3))} M` : String(digits);
}

/** Names come from models and may hold anything. */
export function escapeXml(content: string): string {
  return content
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
