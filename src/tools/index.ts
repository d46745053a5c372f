export * from "./cache.ts";
export { killGroup } from "./children.ts";
export * from "./find.ts";
export * from "./onnxruntime.ts";
export * from "./package-path.ts";
export * from "./run.ts";
