import { gunzip, inflate } from "node:zlib";
import { GrpcError, grpcStatus } from "./status.ts";

/** What clients may compress requests with. Replies are never compressed: tensors hardly shrink. */
export const acceptedEncodings = "identity,deflate,gzip";

/** How the messages of a call are compressed. */
export type Encoding = "identity" | "deflate" | "gzip";

/** @throws GrpcError UNIMPLEMENTED, which the protocol asks for */
export function parseEncoding(header: string | undefined): Encoding {
  if (header === undefined || header === "identity") return "identity";
  if (header === "gzip" || header === "deflate") return header;
  throw new GrpcError(
    grpcStatus.UNIMPLEMENTED,
    `grpc-encoding '${header.slice(0, 40)}' is none of ${acceptedEncodings}`,
  );
}

/**
 * Decompresses one message, off the event loop.
 * @throws GrpcError RESOURCE_EXHAUSTED beyond `maxBytes`, INTERNAL for bytes that are not so compressed
 */
export function decompress(bytes: Buffer, encoding: Encoding, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (encoding === "identity") {
      const message = "a message is flagged as compressed, but the call has no grpc-encoding";
      reject(new GrpcError(grpcStatus.INTERNAL, message));
      return;
    }
    const run = encoding === "gzip" ? gunzip : inflate;
    run(bytes, { maxOutputLength: maxBytes }, (error, result) => {
      if (error === null) resolve(result);
      else if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
        const message = `a message is larger than the limit of ${maxBytes} bytes when decompressed`;
        reject(new GrpcError(grpcStatus.RESOURCE_EXHAUSTED, message));
      } else {
        const message = `a message cannot be decompressed as ${encoding}: ${error.message}`;
        reject(new GrpcError(grpcStatus.INTERNAL, message));
      }
    });
  });
}
