import type { ParameterValues } from "./module.ts";

/** Parameters that the window modules have in common: a kernel that slides over [H][W][C]. */
export const windowParameters = {
  H: { type: "int", min: 1 },
  W: { type: "int", min: 1 },
  C: { type: "int", min: 1 },
  X_W: { type: "int", min: 1 },
  KH: { type: "int", min: 1 },
  KW: { type: "int", min: 1 },
  SH: { type: "int", min: 1 },
  SW: { type: "int", min: 1 },
  DH: { type: "int", min: 1 },
  DW: { type: "int", min: 1 },
  PT: { type: "int", min: 0 },
  PB: { type: "int", min: 0 },
  PL: { type: "int", min: 0 },
  PR: { type: "int", min: 0 },
  PAD: { type: "code" },
} as const;

export type WindowParameters = ParameterValues<typeof windowParameters>;

/** Rows and columns of the result. */
export function windowOutput(p: WindowParameters): { readonly OH: number; readonly OW: number } {
  const reachH = (p.KH - 1) * p.DH + 1;
  const reachW = (p.KW - 1) * p.DW + 1;
  return {
    OH: Math.floor((p.H + p.PT + p.PB - reachH) / p.SH) + 1,
    OW: Math.floor((p.W + p.PL + p.PR - reachW) / p.SW) + 1,
  };
}

/** What a kernel and its padding must satisfy; undefined if they do. */
export function windowConstraint(p: WindowParameters): string | undefined {
  const reachH = (p.KH - 1) * p.DH;
  const reachW = (p.KW - 1) * p.DW;
  const { OH, OW } = windowOutput(p);
  if (OH < 1 || OW < 1) return `a kernel of ${p.KH} x ${p.KW} does not fit into ${p.H} x ${p.W}`;
  if (p.PT > reachH || p.PB > reachH || p.PL > reachW || p.PR > reachW) {
    return `a window would lie in the padding (${p.PT}, ${p.PB}, ${p.PL}, ${p.PR}) as a whole`;
  }
  return undefined;
}
