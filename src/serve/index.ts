export * from "./core/index.ts";
export { type CoreOptions, createInferenceCore, type LoadingCore } from "./create-core.ts";
export * from "./front-ends.ts";
export * from "./options.ts";
export * from "./server.ts";
