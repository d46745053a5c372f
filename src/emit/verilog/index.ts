export * from "./emit-verilog.ts";
