export { importModel } from "./import.ts";
export * from "./model.ts";
export { decodeModel, readModel } from "./read.ts";
export { isForeignOperator } from "./rules/qonnx.ts";
export { declareInput, type SplitModel, splitModel } from "./split.ts";
export { type NodeReport, surveyModel, type ValueReport } from "./support.ts";
