export * from "./emit-simulation.ts";
