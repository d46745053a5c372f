export * from "./archive.ts";
export * from "./bundle.ts";
export * from "./manifest.ts";
export * from "./ports.ts";
export * from "./weights.ts";
