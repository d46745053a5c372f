export type { Answer, CallPlan } from "./caller.ts";
export type { ServerAddress } from "./grpc-channel.ts";
export { GrpcService } from "./grpc-service.ts";
export { type LocalOptions, LocalService } from "./local-service.ts";
export * from "./service.ts";
export * from "./sonic-client.ts";
export { bytesOf, numbersOf, type WireTensor } from "./tensor.ts";
