export * from "./package-path.ts";
