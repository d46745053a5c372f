import type { FrontEndOptions } from "../front-ends.ts";

/** Groups of endpoints that can be restricted, by the names that Triton has for them. */
export const endpointGroups = [
  "health",
  "metadata",
  "inference",
  "shared-memory",
  "model-config",
  "model-repository",
  "statistics",
  "trace",
  "logging",
] as const;

export type EndpointGroup = (typeof endpointGroups)[number];

/** gRPC clients of Triton send the header of a restricted group with this in front. */
const grpcHeaderPrefix = "triton-grpc-protocol-";

/**
 * The message for a request that lacks the header of its group; undefined if it may pass. The value is
 * compared in constant time of its length, and never told.
 */
export function refusalOf(
  group: EndpointGroup,
  restrict: FrontEndOptions["restrict"],
  headers: Readonly<Record<string, unknown>>,
): string | undefined {
  const rule = restrict[group];
  if (rule === undefined) return undefined;
  const [header, value] = [rule[0].toLowerCase(), rule[1]];
  const given = headers[header] ?? headers[`${grpcHeaderPrefix}${header}`];
  if (typeof given === "string" && isSame(given, value)) return undefined;
  return `This protocol is restricted, expecting header '${rule[0]}'`;
}

function isSame(given: string, value: string): boolean {
  let difference = given.length ^ value.length;
  for (let at = 0; at < given.length; at++) {
    difference |= given.charCodeAt(at) ^ value.charCodeAt(at % Math.max(value.length, 1));
  }
  return difference === 0;
}
