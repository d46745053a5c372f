import { Socket, type SocketConstructorOpts } from "node:net";
import { ReadRelief } from "./read-relief.ts";

/** What of Node's sockets reads into memory of ours. */
interface ReadingHandle {
  useUserBuffer(buffer: Uint8Array): void;
}

/**
 * Memory that all sockets read into, one after the other: what comes is used up before the next read. A
 * buffer for each read, as streams have it, costs more than the copying of it: V8 has to find out that
 * megabytes of them are dead.
 */
const memory = Buffer.allocUnsafeSlow(256 * 1024);

let relief: ReadRelief | undefined;

/**
 * Reads a socket that a server has just accepted and that nobody reads (`pauseOnConnect`).
 *
 * Node offers reading into a given buffer (`onread`) to sockets that it connects, not to those that it
 * accepts; so another socket takes over the connection. Where that is not possible (TLS) bytes come as
 * events.
 *
 * @param take gets a view for the time of the call
 * @returns the socket to write to and to listen to
 */
export function readSocket(socket: Socket, take: (bytes: Buffer) => void): Socket {
  const inner = socket as unknown as { _handle: ReadingHandle | null };
  const handle = inner._handle;
  if (socket.constructor !== Socket || typeof handle?.useUserBuffer !== "function") {
    relief ??= new ReadRelief();
    const counter = relief;
    socket.on("data", (bytes: Buffer) => {
      take(bytes);
      counter.read(bytes.length);
    });
    return socket;
  }
  inner._handle = null;
  const own = new Socket({
    handle,
    allowHalfOpen: true,
    onread: {
      buffer: memory,
      callback: (byteLength: number) => {
        take(memory.subarray(0, byteLength));
        return true;
      },
    },
  } as SocketConstructorOpts);
  // The server counts the one that it knows.
  own.once("close", () => socket.destroy());
  return own;
}
