export * from "./design.ts";
export * from "./netlist.ts";
export * from "./stream.ts";
