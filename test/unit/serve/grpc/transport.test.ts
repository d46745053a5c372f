import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { deflateSync, gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { frame } from "../../../../src/serve/grpc/framing.ts";
import type { GrpcServer } from "../../../../src/serve/grpc/server.ts";
import { encodeMessage } from "../../../../src/serve/grpc/status.ts";
import { parseTimeout } from "../../../../src/serve/grpc/timeout.ts";
import { ModelInferRequestSchema } from "../../../../src/serve/proto/inference_pb.ts";
import { FakeCore } from "../../../support/serve/fake-core.ts";
import {
  failureOf,
  inferRequest,
  startGrpcServer,
  TestClient,
} from "../../../support/serve/wires.ts";

const inferPath = "/inference.GRPCInferenceService/ModelInfer";
const models = [
  { name: "echo", datatype: "FP32", dims: [16], maxBatch: 8 },
  { name: "slow", datatype: "FP32", dims: [16], maxBatch: 8, delayMs: 150 },
  { name: "big", datatype: "UINT8", dims: [-1], maxBatch: 0 },
] as const;
const raw = Buffer.from(Float32Array.from({ length: 16 }, (_, at) => at).buffer);

const encodeInfer = (model: string, datatype = "FP32", tensor: Uint8Array = raw) =>
  toBinary(
    ModelInferRequestSchema,
    create(ModelInferRequestSchema, {
      modelName: model,
      inputs: [
        {
          name: "INPUT0",
          datatype,
          shape: datatype === "FP32" ? [1n, 16n] : [BigInt(tensor.length)],
        },
      ],
      rawInputContents: [tensor],
    }),
  );

/** What came back on one HTTP/2 stream. */
interface Answer {
  readonly headers: Record<string, unknown>;
  readonly trailers: Record<string, unknown>;
  readonly body: Buffer;
  /** `grpc-status`, wherever it stood. */
  readonly status: string | undefined;
  readonly message: string;
}

function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let headers: Record<string, unknown> = {};
    let trailers: Record<string, unknown> = {};
    const body: Buffer[] = [];
    stream.on("response", (given) => {
      headers = given;
    });
    stream.on("trailers", (given) => {
      trailers = given;
    });
    stream.on("data", (chunk: Buffer) => body.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      const status = (trailers["grpc-status"] ?? headers["grpc-status"]) as string | undefined;
      const message = decodeURIComponent(
        String(trailers["grpc-message"] ?? headers["grpc-message"] ?? ""),
      );
      resolve({ headers, trailers, body: Buffer.concat(body), status, message });
    });
  });
}

let core: FakeCore;
let server: GrpcServer;
let session: ClientHttp2Session;

beforeEach(async () => {
  core = new FakeCore(models);
  server = await startGrpcServer(core, { maxRequestBytes: 8 * 1024 * 1024 });
  session = connect(`http://${server.address}`);
});
afterEach(async () => {
  session.destroy();
  await server.close(0);
  expect(core.held).toBe(0);
});

const open = (path = inferPath, more: Record<string, string> = {}) =>
  session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...more,
  });

function ask(body: Uint8Array, more: Record<string, string> = {}, path = inferPath) {
  const stream = open(path, more);
  const answer = answerOf(stream);
  stream.end(body);
  return answer;
}

describe("HTTP/2", () => {
  test("windows of 16 MiB stand from the first frame", async () => {
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    expect(session.remoteSettings.initialWindowSize).toBe(16 * 1024 * 1024);
    expect(session.remoteSettings.maxConcurrentStreams).toBe(1000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(session.state.remoteWindowSize).toBeGreaterThanOrEqual(16 * 1024 * 1024);
  });

  test("pings and settings are answered", async () => {
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    const payload = Buffer.from("12345678");
    const echoed = await new Promise((resolve) =>
      session.ping(payload, (_error, _ms, data) => resolve(data)),
    );
    expect(echoed).toEqual(payload);
    await new Promise<void>((resolve) => session.settings({ enablePush: false }, () => resolve()));
  });

  test("streams of one connection run at the same time, and the quick does not wait", async () => {
    const slow = ask(frame(encodeInfer("slow")));
    const order: string[] = [];
    const all = [slow.then(() => order.push("slow"))];
    for (let at = 0; at < 20; at++) {
      all.push(ask(frame(encodeInfer("echo"))).then(() => order.push("quick")));
    }
    await Promise.all(all);
    expect(order.at(-1)).toBe("slow");
  });

  test("what is no gRPC is refused as HTTP", async () => {
    const get = session.request({ ":path": inferPath });
    expect((await answerOf(get)).headers[":status"]).toBe(405);
    expect((await ask(raw, { "content-type": "application/json" })).headers[":status"]).toBe(415);
    expect((await ask(raw, { "content-type": "application/grpcx" })).headers[":status"]).toBe(415);
  });

  test("a connection that speaks something else is closed, and nobody notices", async () => {
    const [host, port] = server.address.split(":");
    const socket = connectTcp(Number(port), host);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    socket.resume();
    await closed;
    expect((await ask(frame(encodeInfer("echo")))).status).toBe("0");
  });
});

describe("framing", () => {
  test.each(["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"])(
    "content-type %s",
    async (type) => {
      const answer = await ask(frame(encodeInfer("echo")), { "content-type": type });
      expect(answer.status).toBe("0");
      expect(answer.headers).toMatchObject({
        ":status": 200,
        "content-type": "application/grpc",
        "grpc-accept-encoding": "identity,deflate,gzip",
      });
      expect(answer.body.subarray(-64)).toEqual(raw);
    },
  );

  test("a message in many DATA frames, its prefix split", async () => {
    const stream = open();
    const answer = answerOf(stream);
    for (const byte of frame(encodeInfer("echo"))) {
      stream.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    stream.end();
    expect((await answer).status).toBe("0");
  });

  test.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
  ] as const)("%s requests, identity replies", async (encoding, compress) => {
    const message = frame(compress(encodeInfer("echo")));
    message[0] = 1;
    const answer = await ask(message, { "grpc-encoding": encoding });
    expect(answer.status).toBe("0");
    expect(answer.body[0]).toBe(0);
    expect(answer.headers["grpc-encoding"]).toBeUndefined();
    // A message of the same call need not be compressed.
    expect((await ask(frame(encodeInfer("echo")), { "grpc-encoding": encoding })).status).toBe("0");
  });

  test("compressed messages that are none, or too large when unpacked", async () => {
    const flagged = (bytes: Uint8Array) => {
      const message = frame(bytes);
      message[0] = 1;
      return message;
    };
    const bomb = flagged(gzipSync(Buffer.alloc(9 * 1024 * 1024)));
    expect(await ask(bomb, { "grpc-encoding": "gzip" })).toMatchObject({ status: "8" });
    const broken = await ask(flagged(raw), { "grpc-encoding": "gzip" });
    expect(broken).toMatchObject({ status: "13" });
    expect(broken.message).toContain("cannot be decompressed as gzip");
    expect(await ask(flagged(raw))).toMatchObject({ status: "13" });
    const unknown = await ask(frame(raw), { "grpc-encoding": "snappy" });
    expect(unknown.status).toBe("12");
    expect(unknown.message).toContain("identity,deflate,gzip");
  });

  test("messages of 4 MiB and more, up to the limit", async () => {
    const tensor = Buffer.alloc(7 * 1024 * 1024, 5);
    const answer = await ask(frame(encodeInfer("big", "UINT8", tensor)));
    expect(answer.status).toBe("0");
    expect(answer.body.subarray(-tensor.length).equals(tensor)).toBe(true);
    const refused = await ask(frame(encodeInfer("big", "UINT8", Buffer.alloc(9 * 1024 * 1024))));
    expect(refused.status).toBe("8");
    expect(refused.message).toContain("larger than the limit of 8388608 bytes");
  });

  test.each([
    ["no message", Buffer.alloc(0), "12"],
    ["half a prefix", Buffer.from([0, 0, 0]), "13"],
    ["half a message", frame(encodeInfer("echo")).subarray(0, 40), "13"],
    ["unknown flags", Buffer.from([2, 0, 0, 0, 0]), "13"],
    ["an empty message", frame(new Uint8Array()), "5"],
    ["no protocol buffer", frame(Buffer.from("hello, server")), "3"],
  ])("%s", async (_, body, status) => {
    const answer = await ask(body);
    expect(answer.status).toBe(status);
    expect(answer.message).not.toBe("");
    expect(answer.body).toHaveLength(0);
  });
});

describe("calls", () => {
  test("errors are trailers alone, their text percent-encoded", async () => {
    const answer = await ask(frame(encodeInfer("Bücher 100%")));
    expect(answer.status).toBe("5");
    expect(answer.headers["grpc-status"]).toBe("5");
    expect(answer.trailers).toEqual({});
    expect(answer.headers["grpc-message"]).toContain("B%C3%BCcher 100%25");
    expect(answer.message).toBe("Request for unknown model: 'Bücher 100%' is not found");
    expect(encodeMessage("a\nb")).toBe("a%0Ab");
    expect(encodeMessage("x".repeat(10_000)).length).toBe(2048);
  });

  test("an unknown method is UNIMPLEMENTED", async () => {
    for (const path of ["/inference.GRPCInferenceService/Nothing", "/", "/a.B/C"]) {
      expect(await ask(frame(new Uint8Array()), {}, path)).toMatchObject({ status: "12" });
    }
  });

  test("metadata that nobody knows is ignored, binary too", async () => {
    const more = {
      "x-mine": "1",
      "trace-bin": Buffer.from([0, 255, 1]).toString("base64"),
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    expect((await ask(frame(encodeInfer("echo")), more)).status).toBe("0");
    expect(core.lastHeader?.traceparent).toBe(more.traceparent);
  });

  test("grpc-timeout goes to the core as a deadline", async () => {
    const before = performance.now();
    expect((await ask(frame(encodeInfer("echo")), { "grpc-timeout": "250m" })).status).toBe("0");
    const left = (core.lastHeader?.deadlineMs ?? 0) - before;
    expect(left).toBeGreaterThan(240);
    expect(left).toBeLessThan(2000);
    expect((await ask(frame(encodeInfer("echo")), { "grpc-timeout": "soon" })).status).toBe("3");
    const units = ["1H", "1M", "1S", "1m", "1u", "1n"].map(parseTimeout);
    expect(units).toEqual([3_600_000, 60_000, 1000, 1, 1e-3, 1e-6]);
    expect(() => parseTimeout("123456789S")).toThrow("8 digits");
  });

  test("RST_STREAM cancels what is queued", async () => {
    const stream = open();
    stream.on("error", () => {});
    stream.end(frame(encodeInfer("slow")));
    await until(() => core.begun === 1);
    stream.close(8);
    await until(() => core.cancelled === 1);
    expect(core.held).toBe(0);
  });

  test("a connection that breaks off in the middle of a tensor gives its buffers back", async () => {
    const stream = open();
    stream.on("error", () => {});
    stream.write(frame(encodeInfer("echo")).subarray(0, -10));
    await until(() => core.held === 1);
    session.destroy();
    await until(() => core.held === 0);
  });

  test("under memory pressure new requests wait, and go on when it is over", async () => {
    core.pressure.isHigh = true;
    let isAnswered = false;
    const waiting = ask(frame(encodeInfer("echo"))).then((answer) => {
      isAnswered = true;
      return answer;
    });
    const live = await ask(
      frame(new Uint8Array()),
      {},
      "/inference.GRPCInferenceService/ServerLive",
    );
    expect(live.status).toBe("0");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isAnswered).toBe(false);
    expect(core.begun).toBe(0);
    core.relieve();
    expect((await waiting).status).toBe("0");
  });

  test("a drain says GOAWAY, finishes what is open, and takes nothing new", async () => {
    const goaway = new Promise((resolve) => session.once("goaway", resolve));
    const running = ask(frame(encodeInfer("slow")));
    await until(() => core.begun === 1);
    const closing = server.close(5000);
    await goaway;
    expect((await running).status).toBe("0");
    await closing;
    const late = connect(`http://${server.address}`);
    const refused = await new Promise((resolve) => late.once("error", resolve));
    expect(String(refused)).toContain("ECONNREFUSED");
  });

  test("a drain is over at the end of its grace", async () => {
    const running = ask(frame(encodeInfer("slow"))).catch((error: Error) => error);
    await until(() => core.begun === 1);
    const start = performance.now();
    await server.close(20);
    expect(performance.now() - start).toBeLessThan(140);
    await running;
  });
});

describe("restricted groups", () => {
  test("ask for their header, others do not", async () => {
    const restricted = await startGrpcServer(core, {
      restrict: { "model-repository": ["admin-key", "secret"] },
    });
    const client = new TestClient(restricted.address);
    try {
      expect(await failureOf(client.call("RepositoryIndex"))).toEqual({
        code: 14,
        details: "This protocol is restricted, expecting header 'admin-key'",
      });
      expect(
        (await failureOf(client.call("RepositoryIndex", {}, { "admin-key": "guess" }))).code,
      ).toBe(14);
      await client.call("RepositoryIndex", {}, { "admin-key": "secret" });
      await client.call("RepositoryIndex", {}, { "triton-grpc-protocol-admin-key": "secret" });
      await client.call("ModelInfer", inferRequest("echo", "FP32", [1, 16], raw));
    } finally {
      client.close();
      await restricted.close(1000);
    }
  });
});

const hasOpenssl = (() => {
  try {
    execFileSync("openssl", ["version"]);
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasOpenssl)("TLS (needs openssl for the certificates)", () => {
  let folder: string;
  const file = (name: string) => join(folder, name);
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "n2f-tls-"));
    const run = (...options: string[]) =>
      execFileSync("openssl", options, { stdio: "pipe", cwd: folder });
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    run(
      "req",
      "-x509",
      ...key,
      "-keyout",
      "ca.key",
      "-out",
      "ca.pem",
      "-subj",
      "/CN=test-ca",
      "-days",
      "2",
    );
    for (const name of ["server", "client"]) {
      run("req", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", "/CN=localhost");
      run(
        "x509",
        "-req",
        "-in",
        `${name}.csr`,
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-out",
        `${name}.pem`,
        "-days",
        "2",
      );
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const tlsAsk = async (address: string, options: object) => {
    const tls = connect(`https://${address}`, {
      ca: readFileSync(file("ca.pem")),
      servername: "localhost",
      ...options,
    });
    try {
      return await new Promise<Answer>((resolve, reject) => {
        tls.once("error", reject);
        const stream = tls.request({
          ":method": "POST",
          ":path": inferPath,
          "content-type": "application/grpc",
        });
        answerOf(stream).then(resolve, reject);
        stream.end(frame(encodeInfer("echo")));
      });
    } finally {
      tls.destroy();
    }
  };

  test("h2 by ALPN", async () => {
    const secure = await startGrpcServer(core, {
      tls: { cert: file("server.pem"), key: file("server.key") },
    });
    expect((await tlsAsk(secure.address, {})).status).toBe("0");
    const [host, port] = secure.address.split(":");
    const other = connectTls({
      host,
      port: Number(port),
      ca: readFileSync(file("ca.pem")),
      servername: "localhost",
      ALPNProtocols: ["http/1.1"],
    });
    const problem = await new Promise<Error>((resolve) => other.once("error", resolve));
    expect(problem.message).toContain("no application protocol");
    await secure.close(0);
  });

  test("with a CA, clients show a certificate of it", async () => {
    const tls = { cert: file("server.pem"), key: file("server.key"), ca: file("ca.pem") };
    const mutual = await startGrpcServer(core, { tls });
    await expect(tlsAsk(mutual.address, {})).rejects.toThrow();
    const own = { cert: readFileSync(file("client.pem")), key: readFileSync(file("client.key")) };
    expect((await tlsAsk(mutual.address, own)).status).toBe("0");
    await mutual.close(0);
  });

  test("a certificate that is not there is said so", async () => {
    const start = startGrpcServer(core, { tls: { cert: "/nowhere.pem", key: file("server.key") } });
    await expect(start).rejects.toThrow("N2F_FILE_READ");
  });
});

test("a port in use is said so", async () => {
  const { GrpcServer } = await import("../../../../src/serve/grpc/server.ts");
  const { frontEndOptions, silent } = await import("../../../support/serve/wires.ts");
  const port = Number(server.address.split(":")[1]);
  const second = new GrpcServer(core, frontEndOptions, silent).start(port);
  await expect(second).rejects.toThrow(`N2F_SERVE_LISTEN: port ${port} is in use`);
});

async function until(is: () => boolean): Promise<void> {
  for (let count = 0; count < 500 && !is(); count++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(is()).toBe(true);
}
