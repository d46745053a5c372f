export * from "./design.ts";
export * from "./netlist.ts";
