import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { GatheredBytes } from "../wire/gathered-bytes.ts";
import type { CallHandler, GrpcCall } from "./call.ts";
import { decompress } from "./compression.ts";
import { frame } from "./framing.ts";
import { noMessage, secondMessage } from "./infer-call.ts";
import { GrpcError, grpcStatus } from "./status.ts";

/** Answers one decoded request. May throw what `statusOf` knows. */
export type UnaryHandler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  call: GrpcCall,
) => MessageInitShape<O> | Promise<MessageInitShape<O>>;

/** Serves a unary method with the generated codec: everything but `ModelInfer`. */
export class UnaryCall<I extends DescMessage, O extends DescMessage> implements CallHandler {
  readonly #method: DescMethodUnary<I, O>;
  readonly #handle: UnaryHandler<I, O>;
  readonly #call: GrpcCall;
  #message: Message | undefined;

  constructor(method: DescMethodUnary<I, O>, handle: UnaryHandler<I, O>, call: GrpcCall) {
    this.#method = method;
    this.#handle = handle;
    this.#call = call;
  }

  start(_byteLength: number, isCompressed: boolean): void {
    if (this.#message !== undefined) throw secondMessage();
    this.#message = { bytes: new GatheredBytes(), isCompressed };
  }

  data(bytes: Buffer): void {
    this.#message?.bytes.push(bytes);
  }

  end(): void {
    void this.#run(this.#message as Message);
  }

  inputEnded(): void {
    if (this.#message === undefined) this.#call.fail(noMessage());
  }

  closed(): void {}

  async #run(message: Message): Promise<void> {
    const call = this.#call;
    try {
      const request = decodeMessage(this.#method.input, await wholeMessage(message, call));
      const response = await this.#handle(request, call);
      const { output } = this.#method;
      call.finish([frame(toBinary(output, create(output, response)))]);
    } catch (error) {
      call.fail(error);
    }
  }
}

/** A message that is coming. */
export interface Message {
  readonly bytes: GatheredBytes;
  readonly isCompressed: boolean;
}

/** A complete message, decompressed. @throws GrpcError */
export async function wholeMessage(message: Message, call: GrpcCall): Promise<Buffer> {
  const { isCompressed } = message;
  const bytes = message.bytes.take();
  return isCompressed ? await decompress(bytes, call.encoding, call.maxMessageBytes) : bytes;
}

/** @throws GrpcError INVALID_ARGUMENT */
export function decodeMessage<D extends DescMessage>(schema: D, bytes: Buffer): MessageShape<D> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new GrpcError(
      grpcStatus.INVALID_ARGUMENT,
      `the request is no ${schema.typeName}: ${(error as Error).message}`,
    );
  }
}
