export * from "./inference_pb.ts";
export * from "./model_config_pb.ts";
