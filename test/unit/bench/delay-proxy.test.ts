import { createHash } from "node:crypto";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { Random } from "../../../src/base/index.ts";
import { DelayProxy } from "../../../src/bench/delay-proxy.ts";
import { measureRtt } from "../../../src/bench/proxy-thread.ts";

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0)) await thing.close();
});

/** A line of `rttMs` before a server. */
async function line(rttMs: number, onSocket: (socket: Socket) => void): Promise<string> {
  const server: Server = createServer({ noDelay: true, allowHalfOpen: true }, onSocket);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const proxy = await DelayProxy.start({ target, delayMs: rttMs / 2 });
  opened.push(proxy, server);
  return proxy.address;
}

const echo = (socket: Socket) => {
  socket.on("error", () => {});
  socket.pipe(socket);
};

function dial(address: string): Socket {
  const [host, port] = address.split(":");
  return connect({ host, port: Number(port), noDelay: true });
}

function randomBytes(count: number): Buffer {
  const random = new Random(3);
  return Buffer.from(Uint32Array.from({ length: count / 4 }, () => random.uint32()).buffer);
}

/** Sends all and ends; gives what came back until the other side's end, and when. */
function roundTrip(address: string, bytes: Buffer): Promise<{ back: Buffer; ms: number }> {
  return new Promise((resolve, reject) => {
    const socket = dial(address);
    const chunks: Buffer[] = [];
    let sentAt = 0;
    socket.on("connect", () => {
      sentAt = performance.now();
      socket.end(bytes);
    });
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("end", () =>
      resolve({ back: Buffer.concat(chunks), ms: performance.now() - sentAt }),
    );
  });
}

describe("the delay proxy", () => {
  test.each([10, 60])("adds a round trip of %i ms, within two", async (rttMs) => {
    const address = await line(rttMs, echo);
    // Others' work on the machine only makes it longer: the best of some is the proxy's own.
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 20 && best >= rttMs + 2; i++) {
      best = Math.min(best, await measureRtt(address, 5));
    }
    expect(best).toBeGreaterThan(rttMs - 2);
    expect(best).toBeLessThan(rttMs + 2);
  });

  test("hands on every byte in order, and the end after the last", async () => {
    const bytes = randomBytes(5 << 20);
    const { back } = await roundTrip(await line(6, echo), bytes);
    expect(createHash("sha256").update(back).digest("hex")).toBe(
      createHash("sha256").update(bytes).digest("hex"),
    );
  });

  test("does not slow large transfers: a megabyte takes its time once, not once for each chunk", async () => {
    const address = await line(40, echo);
    const bytes = randomBytes(1 << 20);
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) best = Math.min(best, (await roundTrip(address, bytes)).ms);
    expect(best).toBeGreaterThan(37.5);
    // Windows of 64 KiB would make it 640.
    expect(best).toBeLessThan(80);
  });

  test("both ends see it when a server drops the line", async () => {
    const address = await line(4, (socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.resetAndDestroy());
    });
    const socket = dial(address);
    socket.on("error", () => {});
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write("x");
    await closed;
    expect(socket.destroyed).toBe(true);
  });
});
