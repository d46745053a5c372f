import { describe, expect, test } from "vitest";
import { lineChart } from "../../../src/bench/chart.ts";
import { kneeOf } from "../../../src/bench/knee.ts";
import type { LoadResult } from "../../../src/bench/load.ts";
import { pointCells, reportPage } from "../../../src/bench/report.ts";

const point = (clients: number, perSecond: number): LoadResult => ({
  clients,
  perSecond,
  seconds: 2,
  latency: {
    count: 10,
    meanMs: 12,
    minMs: 11,
    p50Ms: 12,
    p90Ms: 13,
    p99Ms: 14,
    p999Ms: 15,
    maxMs: 16,
  },
  errors: 0,
  errorKinds: {},
  serverCpuMsPerRequest: 0.25,
  clientCpuMsPerRequest: 0.1,
});

describe("the knee", () => {
  test("of an ideal closed loop lies at rate x (round trip + service time)", () => {
    const points = [1, 2, 5, 10, 20, 40, 60, 100].map((clients) => ({
      clients,
      perSecond: Math.min(clients / 0.0615, 1 / 0.0015),
    }));
    const { plateau, clients } = kneeOf(points);
    expect(plateau).toBeCloseTo(666.667, 2);
    expect(clients).toBeCloseTo(41, 6);
  });

  test("of a server that never answered is nowhere", () => {
    expect(kneeOf([{ clients: 1, perSecond: 0 }])).toEqual({ plateau: 0, clients: 0 });
  });
});

describe("the report", () => {
  const page = reportPage({
    title: "Load on <script>",
    summary: "A & B",
    facts: [["machine", "2 x <b>"]],
    findings: [
      { name: "errors", value: "0", wanted: "0", isMet: true },
      { name: "rate", value: "1", wanted: "2", isMet: false },
    ],
    curves: [
      { rttMs: 10, measuredRttMs: 10.2, points: [point(1, 80), point(8, 600)], expectedKnee: 4 },
    ],
    deviceRate: 666.7,
  });

  test("has each point once, the findings, and a chart for each figure", () => {
    expect(page.match(/<svg /g)).toHaveLength(4);
    for (const cell of pointCells(point(8, 600))) expect(page).toContain(`<td>${cell}</td>`);
    expect(page.match(/class="met">met</g)).toHaveLength(1);
    expect(page.match(/class="missed">not met</g)).toHaveLength(1);
    expect(page).toContain("knee expected: 4.0");
    expect(page).toContain("RTT 10 ms (measured 10.20 ms)");
  });

  test("takes no name for markup and nothing from elsewhere", () => {
    expect(page).not.toContain("<script>");
    expect(page).toContain("Load on &lt;script&gt;");
    expect(page).not.toMatch(/(src|href)=/);
  });

  test("charts keep their points inside", () => {
    const svg = lineChart({
      ...{ title: "t", xLabel: "x", yLabel: "y", yScale: "log" },
      series: [
        {
          name: "a",
          points: [
            [1, 0.01],
            [100, 5000],
          ],
        },
        { name: "b", points: [[3, 7]] },
      ],
    });
    const places = [...svg.matchAll(/cx="([\d.-]+)" cy="([\d.-]+)"/g)].map(([, x, y]) => [+x, +y]);
    expect(places).toHaveLength(3);
    for (const [x, y] of places) {
      expect(x).toBeGreaterThanOrEqual(64);
      expect(x).toBeLessThanOrEqual(540);
      expect(y).toBeGreaterThanOrEqual(64);
      expect(y).toBeLessThanOrEqual(290);
    }
    expect(svg).not.toContain("NaN");
  });
});
