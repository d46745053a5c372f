import type { DescMessage, DescMethodUnary } from "@bufbuild/protobuf";
import type { EndpointGroup } from "../wire/restriction.ts";
import type { CallHandler, GrpcCall } from "./call.ts";
import { UnaryCall, type UnaryHandler } from "./unary-call.ts";

/** One method: which group of endpoints it belongs to, and what serves a call of it. */
export interface Route {
  readonly group: EndpointGroup;
  /** Whether its messages carry tensors, so that it has to wait under memory pressure. */
  readonly isBulky?: boolean;
  open(call: GrpcCall): CallHandler;
}

/** Routes by path, as `:path` has it. */
export type Routes = ReadonlyMap<string, Route>;

/** `/package.Service/Method`. */
export function pathOf(method: {
  readonly parent: { readonly typeName: string };
  readonly name: string;
}): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** A route for a method with the generated codec. */
export function unaryRoute<I extends DescMessage, O extends DescMessage>(
  group: EndpointGroup,
  method: DescMethodUnary<I, O>,
  handle: UnaryHandler<I, O>,
): readonly [path: string, route: Route] {
  return [pathOf(method), { group, open: (call) => new UnaryCall(method, handle, call) }];
}
