import { fail, Random } from "../base/index.ts";
import { GrpcService, type ModelDescription } from "../client/index.ts";
import { datatypeBytes, isDatatype } from "../serve/index.ts";
import type { Protocol, RequestTensor } from "./request.ts";

/**
 * A request's tensors for any model that a server has: standard-normal numbers for FP32 and FP64, zeros for
 * all other types.
 *
 * @param batch for the axes that the model leaves open
 * @throws N2F_BENCH_SERVER where the server does not describe the model; N2F_OPTION_INVALID for one with texts
 */
export async function anyRequest(
  protocol: Protocol,
  address: string,
  model: string,
  batch: number,
): Promise<readonly RequestTensor[]> {
  let described: Pick<ModelDescription, "inputs">;
  try {
    described = await (protocol === "grpc" ? overGrpc : overHttp)(address, model);
  } catch (cause) {
    return fail(
      "N2F_BENCH_SERVER",
      `the server says nothing of ${model}: ${(cause as Error).message}`,
      {
        at: address,
        hint: `Check the address, --protocol (${protocol} here) and --model.`,
        cause,
      },
    );
  }
  const random = new Random(1);
  return described.inputs.map(({ name, datatype, shape: open }) => {
    const shape = open.map((size) => (size < 0 ? batch : size));
    const count = shape.reduce((product, size) => product * size, 1);
    const size = isDatatype(datatype) ? datatypeBytes[datatype] : undefined;
    if (!size) {
      return fail("N2F_OPTION_INVALID", `input ${name} of ${model} has the type ${datatype}`, {
        at: "--model",
        hint: "Choose a model whose inputs are numbers.",
      });
    }
    const normal = () => random.normal();
    const bytes =
      datatype === "FP32"
        ? new Uint8Array(Float32Array.from({ length: count }, normal).buffer)
        : datatype === "FP64"
          ? new Uint8Array(Float64Array.from({ length: count }, normal).buffer)
          : new Uint8Array(count * size);
    return { name, datatype, shape, bytes };
  });
}

async function overGrpc(address: string, model: string): Promise<ModelDescription> {
  const service = new GrpcService({ address });
  try {
    return await service.describe(model, "");
  } finally {
    await service.close();
  }
}

async function overHttp(address: string, model: string): Promise<Pick<ModelDescription, "inputs">> {
  const answer = await fetch(`http://${address}/v2/models/${encodeURIComponent(model)}`);
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()) as Pick<ModelDescription, "inputs">;
}
