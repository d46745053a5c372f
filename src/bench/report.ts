import { type Chart, escapeXml, lineChart } from "./chart.ts";
import type { ComparisonRow } from "./comparison.ts";
import type { Finding } from "./finding.ts";
import type { LoadResult } from "./load.ts";
import type { Curve } from "./sweep.ts";

/** What a report's page shows; it needs nothing from elsewhere. */
export interface ReportContent {
  readonly title: string;
  /** What was measured, in a sentence or two. */
  readonly summary: string;
  /** The machine and the settings, as names and values. */
  readonly facts: readonly (readonly [string, string])[];
  readonly findings: readonly Finding[];
  readonly curves: readonly (Curve & { readonly expectedKnee?: number })[];
  /** The most that the device can do, where that is known, in requests a second. */
  readonly deviceRate?: number;
  readonly comparison?: readonly ComparisonRow[];
}

/** The page as HTML, with its charts in it. */
export function reportPage(content: ReportContent): string {
  const { title, summary, facts, findings, curves, comparison } = content;
  const sections = [
    findings.length > 0 ? section("Findings", findingTable(findings)) : "",
    chartsOf(content).length > 0
      ? section(
          "Against the number of clients",
          `<div class="charts">${chartsOf(content)
            .map((chart) => `<figure>${lineChart(chart)}</figure>`)
            .join("\n")}</div>`,
        )
      : "",
    comparison === undefined ? "" : section("Comparison", comparisonTable(comparison)),
    ...curves.map((curve) => section(distanceTitle(curve), pointTable(curve.points))),
    section(
      "Circumstances",
      table(
        ["", ""],
        facts.map(([name, value]) => [name, value]),
        "facts",
      ),
    ),
  ];
  return [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeXml(title)}</title><style>${style}</style></head><body><main>`,
    `<h1>${escapeXml(title)}</h1><p class="summary">${escapeXml(summary)}</p>`,
    ...sections,
    "</main></body></html>",
    "",
  ].join("\n");
}

/** Throughput, median and tail against clients: a line for each distance. */
export function chartsOf({ curves, deviceRate }: ReportContent): readonly Chart[] {
  if (!curves.some(({ points }) => points.length > 1)) return [];
  const lines = (of: (point: LoadResult) => number) =>
    curves.map(({ rttMs, points }) => ({
      name: rttMs === 0 ? "no proxy" : `RTT ${rttMs} ms`,
      points: points
        .filter((point) => point.latency.count > 0)
        .map((point) => [point.clients, of(point)] as const),
    }));
  const xLabel = "clients";
  const throughput: Chart = {
    ...{ title: "Throughput", xLabel, yLabel: "requests / s", series: lines((p) => p.perSecond) },
    ...(deviceRate !== undefined && {
      levels: [{ y: deviceRate, label: `device: ${deviceRate.toFixed(1)} / s` }],
    }),
    marks: curves.flatMap(({ expectedKnee }, series) =>
      expectedKnee === undefined
        ? []
        : [{ x: expectedKnee, label: `knee expected: ${expectedKnee.toFixed(1)}`, series }],
    ),
  };
  const latency = (name: string, of: (point: LoadResult) => number): Chart => ({
    ...{ title: `Latency, ${name}`, xLabel, yLabel: "ms", series: lines(of), yScale: "log" },
  });
  const cpu = lines((p) => p.serverCpuMsPerRequest ?? 0);
  const isCpuKnown = curves.some(({ points }) =>
    points.some(({ serverCpuMsPerRequest }) => (serverCpuMsPerRequest ?? 0) > 0),
  );
  return [
    throughput,
    latency("median", (p) => p.latency.p50Ms),
    latency("99th percentile", (p) => p.latency.p99Ms),
    ...(isCpuKnown
      ? [{ title: "Server's processor time", xLabel, yLabel: "ms / request", series: cpu }]
      : []),
  ];
}

function distanceTitle({ rttMs, measuredRttMs }: Curve): string {
  return rttMs === 0
    ? "Without a proxy"
    : `RTT ${rttMs} ms (measured ${measuredRttMs.toFixed(2)} ms)`;
}

/** Titles and cells of a curve's table; the command line prints the same. */
export const pointColumns = [
  "clients",
  "requests/s",
  "p50 ms",
  "p90 ms",
  "p99 ms",
  "p99.9 ms",
  "server CPU ms",
  "errors",
] as const;

export function pointCells(point: LoadResult): readonly string[] {
  const { clients, perSecond, latency, serverCpuMsPerRequest, errors } = point;
  return [
    String(clients),
    perSecond.toFixed(1),
    ...[latency.p50Ms, latency.p90Ms, latency.p99Ms, latency.p999Ms].map((ms) => ms.toFixed(2)),
    serverCpuMsPerRequest === undefined ? "-" : serverCpuMsPerRequest.toFixed(3),
    String(errors),
  ];
}

/** The columns of the first comparisons of such services, and what they said in notes. */
export const comparisonColumns = [
  "Model",
  "Type",
  "Note",
  "Attached",
  "Batch",
  "Latency [ms]",
  "Throughput [inferences/s]",
] as const;

export function comparisonCells(row: ComparisonRow): readonly string[] {
  return [
    row.model,
    row.type,
    row.errors === 0 ? row.note : `${row.note}; ${row.errors} ERRORS`,
    row.attach,
    row.batch.toLocaleString("en"),
    row.latencyMs.toPrecision(3),
    Number(row.perSecond.toPrecision(3)).toLocaleString("en"),
  ];
}

function section(title: string, body: string): string {
  return `<section><h2>${escapeXml(title)}</h2>${body}</section>`;
}

function pointTable(points: readonly LoadResult[]): string {
  return table(pointColumns, points.map(pointCells), "numbers");
}

function comparisonTable(rows: readonly ComparisonRow[]): string {
  return table(comparisonColumns, rows.map(comparisonCells), "comparison");
}

function findingTable(findings: readonly Finding[]): string {
  const rows = findings.map(
    ({ name, value, wanted, isMet }) =>
      `<tr><td><span class="${isMet ? "met" : "missed"}">${isMet ? "met" : "not met"}</span></td><td>${escapeXml(name)}</td><td><b>${escapeXml(value)}</b></td><td>${escapeXml(wanted)}</td></tr>`,
  );
  return `<div class="scroll"><table class="findings"><thead><tr><th></th><th>figure</th><th>measured</th><th>wanted</th></tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  kind: string,
): string {
  const head = titles.some((title) => title !== "")
    ? `<thead><tr>${titles.map((title) => `<th>${escapeXml(title)}</th>`).join("")}</tr></thead>`
    : "";
  const body = rows
    .map((row) => `<tr>${row.map((cell) => `<td>${escapeXml(cell)}</td>`).join("")}</tr>`)
    .join("\n");
  return `<div class="scroll"><table class="${kind}">${head}<tbody>${body}</tbody></table></div>`;
}

const style = `
:root { color-scheme: light dark; --ink: #1f2a33; --faint: #66727d; --line: #dfe5ea; --card: #fff; --page: #f4f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ed; --faint: #9aa7b2; --line: #34404a; --card: #1c242b; --page: #12181d; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1220px; margin: 0 auto; padding: 36px 24px 60px; }
h1 { font-size: 28px; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 16px; margin: 0 0 14px; }
.summary { color: var(--faint); margin: 0 0 24px; max-width: 80ch; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px 22px; margin: 0 0 20px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr)); gap: 14px; }
figure { margin: 0; }
svg { width: 100%; height: auto; font-family: inherit; }
svg .title { font-size: 15px; font-weight: 600; fill: var(--ink); }
svg .label { font-size: 12px; fill: var(--faint); }
svg .tick { font-size: 11px; fill: var(--faint); }
svg .grid { stroke: var(--line); }
svg .axis { stroke: var(--faint); }
svg .level { stroke: var(--faint); stroke-dasharray: 5 4; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { color: var(--faint); font-weight: 500; font-size: 13px; }
th, td { text-align: left; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
tbody tr:last-child td { border-bottom: 0; }
.numbers th, .numbers td { text-align: right; }
.comparison th:nth-child(n + 5), .comparison td:nth-child(n + 5) { text-align: right; }
.facts td:first-child { color: var(--faint); width: 12em; }
.findings td, .facts td { white-space: normal; }
.met, .missed { border-radius: 99px; padding: 2px 10px; font-size: 12px; font-weight: 600; white-space: nowrap; }
.met { background: #d9efdc; color: #1d5b2a; }
.missed { background: #f8dcd6; color: #8a2a16; }
`;
