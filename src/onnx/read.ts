import onnxProto, { type onnx } from "onnx-proto";
import { fail, Nn2fpgaError, type Problem } from "../base/index.ts";
import { quote, readBytes, wireFault } from "../tensor/index.ts";
import { ReadContext } from "./context.ts";
import { readMainGraph, standardDomain } from "./graph.ts";
import { guessFile } from "./guess-file.ts";
import { maxOpset, minOpset, type OnnxGraph, type OnnxModel } from "./model.ts";
import { modelWireSchema } from "./wire-schema.ts";

const { ModelProto } = onnxProto.onnx;

/** Protobuf counts bytes in 32 bits with a sign; larger models keep their weights outside. */
const maxModelBytes = 2 ** 31 - 1;

/**
 * Reads an ONNX file. Files come from strangers: whatever the bytes are, the answer is a checked
 * model or one Nn2fpgaError, in time and memory that go with the size of the file.
 *
 * @throws N2F_FILE_READ if there is no such file
 * @throws N2F_ONNX_CORRUPT if the file is no model, or contradicts itself
 * @throws N2F_ONNX_OPSET for standard operators before version `minOpset`, or of none
 * @throws N2F_ONNX_DTYPE for constants of types that we do not hold (strings, complex, float8)
 * @throws N2F_ONNX_EXTERNAL for weights in another file that cannot be had
 */
export function readModel(path: string): OnnxModel {
  return decodeModel(readBytes(path), path);
}

/**
 * The same for bytes at hand.
 * @param path where they come from: for messages, and as the place of external data
 */
export function decodeModel(bytes: Uint8Array, path: string): OnnxModel {
  const context = new ReadContext(path);
  try {
    return checkModel(decodeProto(bytes, context), bytes, context);
  } catch (error) {
    // What is left are tensors that this machine has no memory for.
    if (error instanceof Nn2fpgaError || !(error instanceof RangeError)) throw error;
    fail("N2F_ONNX_CORRUPT", `the model does not fit into memory (${error.message})`, {
      at: path,
      hint: "Check the shapes of its constants, or use a machine with more memory.",
      cause: error,
    });
  }
}

/** Shows the library only what has passed `wireFault`. */
function decodeProto(bytes: Uint8Array, context: ReadContext): onnx.IModelProto {
  if (bytes.length === 0) context.corrupt("the file is empty", "Export or download it again.");
  if (bytes.length > maxModelBytes) {
    context.corrupt(
      `the file has ${bytes.length} bytes; an ONNX model has up to ${maxModelBytes}`,
      "Save the model with external data.",
    );
  }
  const fault = wireFault(bytes, modelWireSchema, "Model");
  if (fault !== undefined) {
    context.corrupt(
      `this is not a whole ONNX model: ${fault}`,
      guessFile(bytes) ?? "The file is damaged or incomplete; export or download it again.",
    );
  }
  try {
    return ModelProto.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (cause) {
    return context.corrupt(
      `this is not an ONNX model: ${(cause as Error).message}`,
      undefined,
      cause,
    );
  }
}

function checkModel(proto: onnx.IModelProto, bytes: Uint8Array, context: ReadContext): OnnxModel {
  const irVersion = context.integer(proto.irVersion ?? 0, "the version of the file format");
  if (!proto.graph || irVersion < 1) {
    const missing = proto.graph ? "version of the file format" : "graph";
    context.corrupt(`this is not an ONNX model: it has no ${missing}`, guessFile(bytes));
  }
  const opsets = readOpsets(proto, context);
  const graph = readMainGraph(proto.graph, context);
  return {
    path: context.path,
    irVersion,
    producer: `${proto.producerName ?? ""} ${proto.producerVersion ?? ""}`.trim(),
    opsets,
    graph,
    localFunctions: (proto.functions ?? []).map(({ domain, name }) =>
      domain ? `${domain}:${name ?? ""}` : (name ?? ""),
    ),
    warnings: checkStandardOpset(opsets, graph, context),
    ...(context.hasExternalData && { hasExternalData: true }),
  };
}

function readOpsets(proto: onnx.IModelProto, context: ReadContext): ReadonlyMap<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of proto.opsetImport ?? []) {
    const key = standardDomain(domain ?? "");
    const value = context.integer(version ?? 0, `the version of the operators ${quote(key)}`);
    const other = opsets.get(key) ?? value;
    if (other !== value) {
      context.corrupt(
        `the operators ${quote(key)} are of version ${other} and of version ${value}`,
      );
    }
    opsets.set(key, value);
  }
  return opsets;
}

/** @returns a warning for a version that is newer than what we know */
function checkStandardOpset(
  opsets: ReadonlyMap<string, number>,
  graph: OnnxGraph,
  { path: at }: ReadContext,
): Problem[] {
  const version = opsets.get("");
  if (version === undefined) {
    // Legal as long as every operator is of another domain.
    if (opsets.size > 0 && graph.nodes.every(({ domain }) => domain !== "")) return [];
    fail("N2F_ONNX_OPSET", "the model does not say which version of the operators it uses", {
      at,
      hint: `Export it again, with an opset of ${minOpset} to ${maxOpset}.`,
    });
  }
  if (version < minOpset) {
    fail("N2F_ONNX_OPSET", `the operators are of version ${version}; ${minOpset} is the oldest`, {
      at,
      hint: "Convert the model with onnx.version_converter.convert_version(model, 13).",
    });
  }
  if (version <= maxOpset) return [];
  return [
    {
      code: "N2F_ONNX_OPSET",
      message: `the operators are of version ${version}; ${maxOpset} is the newest known`,
      at,
      hint: `They are taken for version ${maxOpset}. Export with opset ${maxOpset} to be sure.`,
    },
  ];
}
