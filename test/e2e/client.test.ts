import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type CallReport,
  type ExternalWork,
  GrpcService,
  SonicClient,
  type SonicMode,
  type SonicOptions,
} from "../../src/client/index.ts";
import {
  ModelMetadataResponseSchema,
  RepositoryIndexResponseSchema,
} from "../../src/serve/proto/index.ts";
import { addTinyBundle, predictRows } from "../support/serve.ts";

const repository = mkdtempSync(join(tmpdir(), "nn2fpga-"));
const bundle = join(repository, "tiny.n2f");

interface Server {
  readonly address: string;
  readonly process: ChildProcess;
}

/** A server in a process of its own: a client in mode `Sync` holds this thread. */
async function start(): Promise<Server> {
  const args = ["serve", repository, "--grpc-port", "0", "--http-port", "off"];
  const more = ["--metrics-port", "off", "--threads", "0", "--log-level", "error", "--json"];
  const child = spawn(process.execPath, ["bin/nn2fpga.js", ...args, ...more], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.trimEnd().endsWith("}")) break;
  }
  const { addresses } = JSON.parse(text) as { addresses: { grpc: string } };
  return { address: addresses.grpc, process: child };
}

const addressOf = ({ address }: Server): string => address;

const index = toBinary(
  RepositoryIndexResponseSchema,
  create(RepositoryIndexResponseSchema, { models: [{ name: "tiny" }] }),
);
const metadata = toBinary(
  ModelMetadataResponseSchema,
  create(ModelMetadataResponseSchema, {
    name: "tiny",
    inputs: [{ name: "x", datatype: "FP32", shape: [-1n, 2n] }],
    outputs: [{ name: "y", datatype: "FP32", shape: [-1n, 2n] }],
  }),
);

/** A server that describes its model well and fails at everything else; it keeps the names of all calls. */
async function brokenServer(status: number): Promise<{ address: string; calls: string[] }> {
  const calls: string[] = [];
  const answers = new Map([
    ["RepositoryIndex", index],
    ["ModelMetadata", metadata],
  ]);
  const server = http2.createServer();
  server.on("stream", (stream, headers) => {
    const method = String(headers[":path"]).split("/").pop() ?? "";
    calls.push(method);
    const answer = answers.get(method);
    const start = { ":status": 200, "content-type": "application/grpc" };
    if (answer === undefined) {
      const said = { "grpc-status": status, "grpc-message": "the card has fallen off%21" };
      stream.respond({ ...start, ...said }, { endStream: true });
      return;
    }
    stream.respond(start, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(answer.length, 1);
    stream.end(Buffer.concat([prefix, answer]));
  });
  return { address: await listen(server), calls };
}

async function listen(server: http2.Http2Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const rows = Array.from({ length: 40 }, (_, i) => [i / 3 - 6, 4.5 - i / 9]);
let expected: number[][];
let servers: Server[] = [];

const work: ExternalWork<readonly (readonly number[])[], number[]> = {
  acquire(event, inputs) {
    inputs.batchSize = event.length;
    inputs.set("x", Float32Array.from(event.flat()));
  },
  produce: (_event, outputs) => Array.from(outputs.get("y").numbers),
};

beforeAll(async () => {
  addTinyBundle(bundle);
  expected = await predictRows(bundle, rows);
  servers = [await start(), await start()];
});

afterAll(async () => {
  for (const server of servers) server.process.kill();
  rmSync(repository, { recursive: true, force: true });
});

async function withClient<T>(
  options: Omit<SonicOptions, "model">,
  use: (client: SonicClient, calls: CallReport[]) => Promise<T>,
): Promise<T> {
  const calls: CallReport[] = [];
  const client = await SonicClient.open({
    model: "tiny",
    ...options,
    onCall: (call) => calls.push(call),
  });
  try {
    return await use(client, calls);
  } finally {
    await client.close();
  }
}

describe("the client library", () => {
  it.each<SonicMode>(["Async", "PseudoAsync", "Sync"])(
    "gives the bits of predict in mode %s",
    async (mode) => {
      await withClient(
        { mode, servers: [{ address: addressOf(servers[0]) }] },
        async (client, calls) => {
          expect(await client.process(rows, work)).toEqual(expected.flat());
          expect(await client.process(rows.slice(0, 1), work)).toEqual(expected[0]);
          expect(calls.map(({ tries }) => tries)).toEqual([1, 1]);
        },
      );
    },
  );

  it("lets the job go on in mode Async and PseudoAsync, and holds it in mode Sync", async () => {
    for (const mode of ["Async", "PseudoAsync", "Sync"] as const) {
      await withClient(
        { mode, servers: [{ address: addressOf(servers[0]) }] },
        async (client, calls) => {
          const holder = client.acquire((inputs) => inputs.set("x", [1, 2]));
          expect(calls.length).toBe(mode === "Sync" ? 1 : 0);
          await holder;
          expect(calls.length).toBe(1);
        },
      );
    }
  });

  it("has the same calls for a device in this process, without a network", async () => {
    await withClient({ fallback: { repository: bundle } }, async (client, calls) => {
      expect(await client.process(rows, work)).toEqual(expected.flat());
      expect(calls[0].service).toBe("local emulator");
    });
  });

  it("tries the same server again, then another, and stays there", async () => {
    const broken = await brokenServer(14);
    const options = {
      servers: [
        { address: broken.address, name: "broken" },
        { address: addressOf(servers[1]), name: "good" },
      ],
      preferredServer: "broken",
      allowedTries: 3,
    };
    await withClient(options, async (client, calls) => {
      expect(await client.process(rows, work)).toEqual(expected.flat());
      expect(broken.calls.filter((call) => call === "ModelInfer")).toHaveLength(3);
      expect(calls[0]).toMatchObject({ service: "good", tries: 4 });
      await client.process(rows, work);
      expect(calls[1]).toMatchObject({ service: "good", tries: 1 });
    });
  });

  it("falls back to a local device when no server is left", async () => {
    const broken = await brokenServer(14);
    const options = { servers: [{ address: broken.address }], fallback: { repository: bundle } };
    await withClient(options, async (client, calls) => {
      expect(await client.process(rows, work)).toEqual(expected.flat());
      expect(calls[0]).toMatchObject({ service: "local emulator", tries: 2 });
    });
  });

  it("skips servers that cannot be reached or do not have the model", async () => {
    const options = { servers: [{ address: "127.0.0.1:1" }, { address: addressOf(servers[0]) }] };
    await withClient(options, async (client) => {
      expect(await client.process(rows, work)).toEqual(expected.flat());
    });
    await expect(
      SonicClient.open({
        model: "other",
        servers: [{ address: addressOf(servers[0]), name: "a" }],
      }),
    ).rejects.toThrow("client: nobody serves the model 'other': a does not list it");
  });

  it("says what the servers said when all tries have failed", async () => {
    const broken = await brokenServer(14);
    const options = { servers: [{ address: broken.address, name: "broken" }], allowedTries: 2 };
    await withClient(options, async (client) => {
      await expect(client.process(rows, work)).rejects.toThrow(
        "broken: the call failed after 2 tries; the last said: broken: the card has fallen off!",
      );
    });
  });

  it("does not repeat what is wrong everywhere", async () => {
    const broken = await brokenServer(3);
    const options = { servers: [{ address: broken.address, name: "broken" }], allowedTries: 5 };
    await withClient(options, async (client) => {
      await expect(client.process(rows, work)).rejects.toMatchObject({ status: 3 });
      expect(broken.calls.filter((call) => call === "ModelInfer")).toHaveLength(1);
    });
  });

  it("ends the job's own mistakes before anything is sent", async () => {
    await withClient({ servers: [{ address: addressOf(servers[0]) }] }, async (client) => {
      expect(() => client.acquire((inputs) => inputs.set("z", [1]))).toThrow(
        "the model has no input 'z'; it has x",
      );
      expect(() => client.acquire((inputs) => inputs.set("x", [1, 2, 3]))).toThrow(
        "input 'x' of shape [1,2] takes 2 numbers, 3 were set",
      );
      expect(() => client.acquire(() => {})).toThrow("input 'x' was not set");
    });
  });

  it("makes no call for an event without rows", async () => {
    await withClient({ servers: [{ address: addressOf(servers[0]) }] }, async (client, calls) => {
      expect(await client.process([], work)).toEqual([]);
      expect(calls).toEqual([]);
    });
  });

  it("gives up at its deadline", async () => {
    const silentServer = http2.createServer(() => {});
    const service = new GrpcService({ address: await listen(silentServer), name: "silent" });
    const request = { model: "tiny", version: "", inputs: [], outputs: [] };
    await expect(service.infer(request, 50)).rejects.toThrow("silent: no answer within 50 ms");
    await service.close();
  });
});
