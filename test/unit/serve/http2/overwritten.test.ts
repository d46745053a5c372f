import { vi } from "vitest";

/**
 * All tests of the gRPC and the HTTP port once more, with the read buffer overwritten as soon as it has been handed
 * on: whoever keeps a view of it beyond the call sees other bytes.
 */
vi.mock("../../../../src/serve/wire/read-socket.ts", async (importOriginal) => {
  const original =
    await importOriginal<typeof import("../../../../src/serve/wire/read-socket.ts")>();
  const readSocket: typeof original.readSocket = (socket, take) =>
    original.readSocket(socket, (bytes) => {
      take(bytes);
      bytes.fill(0xa5);
    });
  return { ...original, readSocket };
});

await import("../grpc/services.test.ts");
await import("../grpc/transport.test.ts");
await import("../http/http.test.ts");
