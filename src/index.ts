/**
 * The public interface of nn2fpga: compile a model, verify and run the bundle that comes out.
 *
 * @example
 * import { compile, loadConfig, openDevice, predict, readBundle } from "nn2fpga";
 *
 * compile("tagger.onnx", "tagger.n2f", { config: loadConfig(undefined, {}), calibration: ["jets.npy"] });
 * const bundle = readBundle("tagger.n2f");
 * const device = openDevice("emulator");
 * const kernel = await device.load(bundle);
 * const [scores] = await predict(kernel, bundle.manifest, { count: 1, data: new Map([["features", jet]]) });
 */
export {
  type Bundle,
  type ContainerType,
  type Manifest,
  type PortTensor,
  packetBytes,
  type Resources,
  readBundle,
  type StreamPort,
  type Timing,
} from "./artifact/index.ts";
export { Nn2fpgaError, type Problem, type ProblemCode, renderProblem } from "./base/index.ts";
export { type CompileOptions, type CompileSummary, compile } from "./compile.ts";
export { type CompileConfig, type ConfigFlags, loadConfig } from "./config/index.ts";
export {
  codeToReal,
  type Format,
  formatText,
  type Overflow,
  type Precision,
  packReals,
  parsePrecision,
  type Rounding,
  realToCode,
  unpackReals,
} from "./fixed/index.ts";
export { type NodeReport, readModel, surveyModel } from "./onnx/index.ts";
export {
  availableDevices,
  type Device,
  type DeviceInfo,
  type Kernel,
  openDevice,
  predict,
} from "./runtime/index.ts";
export {
  matchSamples,
  type NamedTensor,
  readArrays,
  type Samples,
  type Tensor,
  writeArray,
  writeArrays,
} from "./tensor/index.ts";
export { type FullReport, type VerifyOptions, verify } from "./verify-bundle.ts";
