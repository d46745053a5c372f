import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { planServer, type ServeOptions, startServer } from "../../src/serve/index.ts";
import { runCli } from "../support/cli.ts";
import { silent, TestClient } from "../support/serve/wires.ts";
import { addTinyBundle, predictRows } from "../support/serve.ts";
import { temporaryFolder } from "../support/temporary.ts";

const hasOpenssl = (() => {
  try {
    execFileSync("openssl", ["version"], { stdio: "pipe" });
    return true;
  } catch {
    console.error("\n*** SKIPPED: openssl is not here, which makes the certificates\n");
    return false;
  }
})();

describe.skipIf(!hasOpenssl)("a server with TLS", () => {
  let folder: string;
  const file = (name: string): string => join(folder, name);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "nn2fpga-tls-"));
    addTinyBundle(file("tiny.n2f"));
    const run = (line: string) =>
      execFileSync("openssl", line.split(" "), { cwd: folder, stdio: "pipe" });
    const key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    run(`req -x509 ${key} -keyout ca.key -out ca.pem -subj /CN=test-ca -days 2`);
    run(`req -x509 ${key} -keyout other.key -out other.pem -subj /CN=other -days 2`);
    for (const name of ["server", "client"]) {
      const subject = `-subj /CN=localhost -addext subjectAltName=DNS:localhost`;
      run(`req ${key} -keyout ${name}.key -out ${name}.csr ${subject}`);
      const sign = `-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copy`;
      run(`x509 -req -in ${name}.csr -out ${name}.pem ${sign}`);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Addresses of HTTP and gRPC, by the name that is in the certificate. */
  async function start(options: ServeOptions) {
    const tls = { "tls-cert": file("server.pem"), "tls-key": file("server.key") };
    const ports = { "http-port": 0, "grpc-port": 0, "metrics-port": "off" } as const;
    // A client that refused the certificate keeps a server that stops waiting as long.
    const grace = { "grace-seconds": 1 };
    const fixed = { repository: temporaryFolder(), threads: 0, ...ports, ...tls, ...grace };
    const server = await startServer(planServer({ ...fixed, ...options }), silent);
    onTestFinished(async () => void (await server.stop()));
    await server.loaded;
    const [http, grpcAddress] = ["http", "grpc"].map((name) => {
      const address = server.frontEnds.find((frontEnd) => frontEnd.name === name)?.address ?? "";
      return address.replace("127.0.0.1", "localhost");
    });
    return { http, grpc: grpcAddress };
  }

  const deploy = (address: string, ...more: readonly string[]) =>
    runCli(["deploy", file("tiny.n2f"), "--to", address, "--tls", ...more]);

  const trusting = () => ["--tls-ca", file("ca.pem")];
  const certified = () => ["--tls-cert", file("client.pem"), "--tls-key", file("client.key")];

  /** What the deployed model answers over gRPC. */
  async function ask(address: string, own: readonly [Buffer, Buffer] | readonly []) {
    const credentials = grpc.credentials.createSsl(
      readFileSync(file("ca.pem")),
      ...([own[1], own[0]] as [Buffer?, Buffer?]).map((part) => part ?? null),
    );
    const plain = new TestClient(address);
    const client = Object.assign(plain, { raw: new plain.raw.constructor(address, credentials) });
    onTestFinished(() => client.close());
    const deadline = Date.now() + 3000;
    const reply = await client.call(
      "ModelInfer",
      {
        model_name: "tiny",
        inputs: [{ name: "x", datatype: "FP32", shape: [1, 2] }],
        raw_input_contents: [Buffer.from(Float32Array.of(1.25, -2).buffer)],
      },
      {},
      { deadline },
    );
    return [...new Float32Array(Uint8Array.from(reply.raw_output_contents[0]).buffer)];
  }

  it("takes a bundle from `deploy` that trusts it, and serves it over both protocols", async () => {
    const { http, grpc: address } = await start({});
    const wrong = await deploy(http, "--tls-ca", file("other.pem"));
    expect(wrong.exitCode).toBe(2);
    expect(wrong.stderr).toContain("N2F_SERVE_REMOTE: the server cannot be reached");
    expect(wrong.stderr).toMatch(/certificate/);
    expect((await deploy(http, ...trusting())).exitCode).toBe(0);
    expect(await ask(address, [])).toEqual((await predictRows(file("tiny.n2f"), [[1.25, -2]]))[0]);
    const ready = await new Promise<number | undefined>((resolve, reject) => {
      const options = { ca: readFileSync(file("ca.pem")) };
      get(`https://${http}/v2/models/tiny/ready`, options, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on("error", reject);
    });
    expect(ready).toBe(200);
  });

  it("with a CA, asks clients of both protocols for a certificate of it", async () => {
    const { http, grpc: address } = await start({ "tls-ca": file("ca.pem") });
    const bare = await deploy(http, ...trusting());
    expect(bare.exitCode).toBe(2);
    expect(bare.stderr).toContain("N2F_SERVE_REMOTE: the server cannot be reached");
    const foreign = ["--tls-cert", file("other.pem"), "--tls-key", file("other.key")];
    expect((await deploy(http, ...trusting(), ...foreign)).exitCode).toBe(2);
    expect((await deploy(http, ...trusting(), ...certified())).exitCode).toBe(0);
    const own = [readFileSync(file("client.pem")), readFileSync(file("client.key"))] as const;
    expect(await ask(address, own)).toEqual((await predictRows(file("tiny.n2f"), [[1.25, -2]]))[0]);
    await expect(ask(address, [])).rejects.toThrow(/UNAVAILABLE|DEADLINE/);
  });

  it("and a header for the group that loads models, which `deploy` sends", async () => {
    const restrict = { "model-repository": { header: "admin-key", value: "secret" } };
    const { http } = await start({ "tls-ca": file("ca.pem"), restrict });
    const all = [...trusting(), ...certified()];
    const refused = await deploy(http, ...all);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain("expecting header 'admin-key'");
    expect((await deploy(http, ...all, "--header", "admin-key: wrong")).exitCode).toBe(2);
    expect((await deploy(http, ...all, "--header", "admin-key: secret")).exitCode).toBe(0);
  });
});
