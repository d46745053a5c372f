import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HttpServer } from "../../../../src/serve/http/server.ts";
import type { FrontEndOptions } from "../../../../src/serve/index.ts";
import { echoModels } from "../../../support/serve/echo-models.ts";
import { FakeCore } from "../../../support/serve/fake-core.ts";
import { frontEndOptions, type Reply, silent } from "../../../support/serve/wires.ts";

const core = new FakeCore([
  ...echoModels,
  { name: "two", datatype: "FP32", dims: [2], maxBatch: 8, outputs: ["A", "B"] },
  { name: "free", datatype: "INT16", dims: [-1], maxBatch: 0 },
  { name: "text", datatype: "BYTES", dims: [1], maxBatch: 0 },
  { name: "wide", datatype: "FP32", dims: [65536], maxBatch: 2 },
]);
let server: HttpServer;

const start = (options: Partial<FrontEndOptions> = {}) =>
  new HttpServer(core, { ...frontEndOptions, maxRequestBytes: 1 << 20, ...options }, silent).start(
    0,
  );

beforeAll(async () => {
  server = await start();
});
afterAll(async () => {
  await server.close(1000);
  expect(core.held).toBe(0);
});

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
  readonly json: Reply;
}

function ask(
  method: string,
  path: string,
  body: Uint8Array | string | readonly Uint8Array[] = "",
  headers: Record<string, string | number> = {},
  address = server.address,
): Promise<Answer> {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host, port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const whole = Buffer.concat(chunks);
        const isJson =
          response.headers["content-type"] === "application/json" &&
          !response.headers["content-encoding"];
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: whole,
          json: isJson && whole.length > 0 ? JSON.parse(whole.toString()) : undefined,
        });
      });
    });
    request.on("error", reject);
    const pieces = Array.isArray(body) ? body : [body];
    for (const piece of pieces) request.write(piece);
    request.end();
  });
}

const get = (path: string) => ask("GET", path);
const inferPath = (model: string) => `/v2/models/${model}/infer`;
const values = [1, 2.5, -3, 4];
const floats = Buffer.from(Float32Array.from(values).buffer);
const two = (more: object = {}, input: object = { data: values }) =>
  JSON.stringify({
    id: "9",
    inputs: [{ name: "INPUT0", datatype: "FP32", shape: [2, 2], ...input }],
    ...more,
  });
/** JSON with its length in the header, and what follows. */
const binary = (json: string, ...tensors: Uint8Array[]) =>
  [
    Buffer.concat([Buffer.from(json), ...tensors]),
    { "Inference-Header-Content-Length": Buffer.byteLength(json) },
  ] as const;

describe("endpoints", () => {
  test("health, metadata, configuration, statistics", async () => {
    expect((await get("/v2")).json).toEqual(core.metadata());
    for (const path of ["live", "ready"])
      expect((await get(`/v2/health/${path}`)).status).toBe(200);
    for (const at of ["two", "two/versions/1"]) {
      expect((await get(`/v2/models/${at}`)).json.inputs[0].shape).toEqual([-1, 2]);
      expect(await get(`/v2/models/${at}/ready`)).toMatchObject({
        status: 200,
        body: Buffer.alloc(0),
      });
      expect((await get(`/v2/models/${at}/config`)).json).toMatchObject({
        name: "two",
        max_batch_size: 8,
      });
      const [entry] = (await get(`/v2/models/${at}/stats`)).json.model_stats;
      for (const key of [
        "success",
        "fail",
        "queue",
        "compute_input",
        "compute_infer",
        "compute_output",
        "cache_hit",
        "cache_miss",
      ]) {
        expect(entry.inference_stats[key]).toEqual({
          count: expect.any(Number),
          ns: expect.any(Number),
        });
      }
    }
    expect((await get("/v2/models/stats")).json.model_stats.length).toBeGreaterThan(5);
    expect(await get("/v2/models/none/ready")).toMatchObject({
      status: 400,
      body: Buffer.alloc(0),
    });
    expect((await get("/v2/models/none")).json).toEqual({
      error: "Request for unknown model: 'none' is not found",
    });
    core.isReady = false;
    expect((await get("/v2/health/ready")).status).toBe(400);
    expect((await get("/v2/health/live")).status).toBe(200);
    core.isReady = true;
  });

  test("the repository", async () => {
    const index = (await ask("POST", "/v2/repository/index")).json;
    expect(index.at(-1)).toEqual({
      name: "broken",
      version: "",
      state: "UNAVAILABLE",
      reason: "no bundle",
    });
    const ready = (await ask("POST", "/v2/repository/index", '{"ready":true}')).json;
    expect(ready).toHaveLength(index.length - 1);
    const load = {
      parameters: { config: '{"a":1}', "file:1/x": Buffer.from("abc").toString("base64") },
    };
    expect(await ask("POST", "/v2/repository/models/two/load", JSON.stringify(load))).toMatchObject(
      { status: 200 },
    );
    expect(core.lastLoad?.options?.config).toBe('{"a":1}');
    expect(Buffer.from(core.lastLoad?.options?.files?.get("1/x") ?? [])).toEqual(
      Buffer.from("abc"),
    );
    const failed = await ask("POST", "/v2/repository/models/none/load");
    expect(failed).toMatchObject({
      status: 500,
      json: { error: "failed to load 'none', no such folder" },
    });
    expect(
      (
        await ask(
          "POST",
          "/v2/repository/models/two/unload",
          '{"parameters":{"unload_dependents":true}}',
        )
      ).status,
    ).toBe(200);
    core.isModelControlAllowed = false;
    expect((await ask("POST", "/v2/repository/models/two/load")).status).toBe(503);
    core.isModelControlAllowed = true;
  });

  test("settings", async () => {
    expect((await get("/v2/trace/setting")).json.trace_level).toEqual(["OFF"]);
    const traced = (
      await ask("POST", "/v2/models/two/trace/setting", '{"trace_rate":"9","trace_level":null}')
    ).json;
    expect(traced).toEqual({ trace_rate: ["9"] });
    expect(
      (await ask("POST", "/v2/logging", '{"log_verbose_level":3}')).json.log_verbose_level,
    ).toBe(3);
    expect((await get("/v2/logging")).json.log_info).toBe(true);
    expect((await ask("POST", "/v2/logging", '{"log_info":[1]}')).status).toBe(400);
  });

  test("shared memory", async () => {
    const path = "/v2/systemsharedmemory/region/r";
    const register = () =>
      ask("POST", `${path}/register`, '{"key":"/r","offset":0,"byte_size":64}');
    expect((await register()).status).toBe(200);
    expect(await register()).toMatchObject({
      status: 400,
      json: { error: "shared memory region 'r' already in manager" },
    });
    expect((await get(`${path}/status`)).json).toEqual([
      { name: "r", key: "/r", offset: 0, byte_size: 64 },
    ]);
    expect((await get("/v2/systemsharedmemory/status")).json).toHaveLength(1);
    expect((await ask("POST", `${path}/unregister`)).status).toBe(200);
    expect((await ask("POST", "/v2/systemsharedmemory/unregister")).status).toBe(200);
    expect((await get("/v2/cudasharedmemory/status")).json).toEqual([]);
    expect((await ask("POST", "/v2/cudasharedmemory/unregister")).status).toBe(200);
    expect((await ask("POST", "/v2/cudasharedmemory/region/c/register", "{}")).status).toBe(400);
    expect((await ask("POST", `${path}/register`, '{"key":1}')).status).toBe(400);
  });

  test("paths and verbs that are none", async () => {
    for (const path of ["/", "/v1", "/v2/nothing", "/v2/models/two/versions/1/none"]) {
      expect(await get(path)).toMatchObject({ status: 404, json: { error: expect.any(String) } });
    }
    const wrong = await ask("PUT", "/v2/health/live");
    expect(wrong).toMatchObject({ status: 405, headers: { allow: "GET" } });
    expect((await get(inferPath("two"))).status).toBe(405);
    expect((await get("/v2/models/%E0%A4%A")).status).toBe(400);
    expect((await get("/v2/models/a%2Fb")).json.error).toContain("'a/b'");
    expect((await get("/v2/health/live/?x=1")).status).toBe(200);
  });
});

describe("inference", () => {
  test("JSON, nested or flat", async () => {
    for (const data of [values, [values.slice(0, 2), values.slice(2)]]) {
      const { json } = await ask("POST", inferPath("two"), two({}, { data }));
      expect(json).toEqual({
        id: "9",
        model_name: "two",
        model_version: "1",
        outputs: ["A", "B"].map((name) => ({
          name,
          datatype: "FP32",
          shape: [2, 2],
          data: values,
        })),
      });
    }
  });

  test("binary in, binary out, and any mixture", async () => {
    const input = { parameters: { binary_data_size: 16 } };
    const outputs = [{ name: "B", parameters: { binary_data: true } }, { name: "A" }];
    for (const [body, headers] of [
      binary(two({ outputs }, input), floats),
      [two({ outputs }), {}] as const,
    ]) {
      const answer = await ask("POST", inferPath("two"), body, headers);
      expect(answer.headers["content-type"]).toBe("application/octet-stream");
      const size = Number(answer.headers["inference-header-content-length"]);
      expect(JSON.parse(answer.body.subarray(0, size).toString()).outputs).toEqual([
        { name: "B", datatype: "FP32", shape: [2, 2], parameters: { binary_data_size: 16 } },
        { name: "A", datatype: "FP32", shape: [2, 2], data: values },
      ]);
      expect(answer.body.subarray(size)).toEqual(floats);
    }
    const all = await ask(
      "POST",
      inferPath("two"),
      two({ parameters: { binary_data_output: true, mine: 1 } }),
    );
    expect(all.body.subarray(-32)).toEqual(Buffer.concat([floats, floats]));
    expect(Object.fromEntries(core.lastHeader?.parameters ?? [])).toEqual({ mine: 1 });
  });

  test("a header length of 0: the body is the tensor", async () => {
    const headers = { "Inference-Header-Content-Length": 0 };
    const answer = await ask("POST", inferPath("two"), floats, headers);
    expect(answer.body.subarray(-16)).toEqual(floats);
    expect(
      (await ask("POST", inferPath("free"), Buffer.from([1, 0, 2, 0]), headers)).body.subarray(-4),
    ).toEqual(Buffer.from([1, 0, 2, 0]));
    expect((await ask("POST", inferPath("two"), floats.subarray(1), headers)).status).toBe(400);
    const text = await ask("POST", inferPath("text"), Buffer.from("abc"), headers);
    expect(text.body.subarray(-7)).toEqual(Buffer.from([3, 0, 0, 0, 0x61, 0x62, 0x63]));
  });

  test("the cuts between the chunks make no difference", async () => {
    const [body, headers] = binary(two({}, { parameters: { binary_data_size: 16 } }), floats);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(body.length), { maxLength: 5 }), async (cuts) => {
        const sorted = [0, ...cuts.sort((a, b) => a - b), body.length];
        const pieces = sorted
          .slice(1)
          .map((cut, at) => body.subarray(sorted[at], cut))
          .filter(({ length }) => length > 0);
        const { json } = await ask("POST", inferPath("two"), pieces, headers);
        expect(json.outputs[0].data).toEqual(values);
      }),
      { numRuns: 40 },
    );
  });

  test("large outputs", async () => {
    const data = Float32Array.from({ length: 65536 }, (_, at) => at);
    const json = JSON.stringify({
      inputs: [
        {
          name: "INPUT0",
          datatype: "FP32",
          shape: [1, 65536],
          parameters: { binary_data_size: data.byteLength },
        },
      ],
      parameters: { binary_data_output: true },
    });
    const raw = Buffer.from(data.buffer);
    const answer = await ask("POST", inferPath("wide"), ...binary(json, raw));
    expect(answer.body.subarray(-raw.length).equals(raw)).toBe(true);
  });

  test("gzip and deflate, both ways", async () => {
    const [body, headers] = binary(two({}, { parameters: { binary_data_size: 16 } }), floats);
    for (const [encoding, compress] of [
      ["gzip", gzipSync],
      ["deflate", deflateSync],
    ] as const) {
      const answer = await ask("POST", inferPath("two"), compress(body), {
        ...headers,
        "Content-Encoding": encoding,
      });
      expect(answer.json.outputs[0].data).toEqual(values);
    }
    const path = "/v2/models/stats";
    const plain = (await get(path)).body;
    const gzipped = await ask("GET", path, "", { "Accept-Encoding": "gzip, deflate" });
    expect(gzipped.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(gzipped.body)).toEqual(plain);
    const deflated = await ask("GET", path, "", { "Accept-Encoding": "deflate, gzip;q=0" });
    expect(inflateSync(deflated.body)).toEqual(plain);
    expect((await ask("POST", inferPath("two"), "x", { "Content-Encoding": "gzip" })).status).toBe(
      400,
    );
    expect((await ask("POST", inferPath("two"), "x", { "Content-Encoding": "br" })).status).toBe(
      415,
    );
    const bomb = await ask("POST", inferPath("two"), gzipSync(Buffer.alloc(4 << 20)), {
      "Content-Encoding": "gzip",
    });
    expect(bomb.status).toBe(413);
  });

  test("outputs in shared memory have neither data nor parameters", async () => {
    core.sharedMemory.register({ name: "s", key: "/s", offset: 0, byteSize: 64 });
    core.region("s").set(floats);
    const at = (offset: number) => ({
      shared_memory_region: "s",
      shared_memory_byte_size: 16,
      shared_memory_offset: offset,
    });
    const outputs = [
      { name: "A", parameters: at(16) },
      { name: "B", parameters: { binary_data: true } },
    ];
    const answer = await ask("POST", inferPath("two"), two({ outputs }, { parameters: at(0) }));
    const size = Number(answer.headers["inference-header-content-length"]);
    expect(JSON.parse(answer.body.subarray(0, size).toString()).outputs[0]).toEqual({
      name: "A",
      datatype: "FP32",
      shape: [2, 2],
    });
    expect(Buffer.from(core.region("s").subarray(16, 32))).toEqual(floats);
    core.sharedMemory.unregister("s");
  });

  test.each([
    ["UINT8", [0, 1, 2, 255]],
    ["INT8", [-128, 0, 1, 127]],
    ["UINT16", [0, 1, 2, 65535]],
    ["INT16", [-32768, 0, 1, 32767]],
    ["UINT32", [0, 1, 2, 2 ** 32 - 1]],
    ["INT32", [-(2 ** 31), 0, 1, 2 ** 31 - 1]],
    ["UINT64", [0, 1, 2, Number.MAX_SAFE_INTEGER]],
    ["INT64", [Number.MIN_SAFE_INTEGER, 0, 1, 2]],
    ["FP64", [0.1, -1e300, 0, 1]],
    ["BOOL", [true, false, true, true]],
    ["BYTES", ["", "a", "ä", "four"]],
  ])("%s as JSON", async (datatype, data) => {
    const inputs = [{ name: "INPUT0", datatype, shape: [1, 4], data }];
    const { json } = await ask(
      "POST",
      inferPath(`echo_${datatype.toLowerCase()}`),
      JSON.stringify({ inputs }),
    );
    expect(json.outputs[0].data).toEqual(data);
  });
});

describe("requests that are refused", () => {
  const echo = (datatype: string, data: unknown) =>
    JSON.stringify({ inputs: [{ name: "INPUT0", datatype, shape: [1, 4], data }] });
  test.each([
    [
      "an unknown model",
      inferPath("none"),
      two(),
      404,
      "Request for unknown model: 'none' is not found",
    ],
    ["no JSON", inferPath("two"), "{", 400, "failed to parse the request JSON buffer"],
    ["a list", inferPath("two"), "[]", 400, "the request must be a JSON object"],
    ["no inputs", inferPath("two"), "{}", 400, "Unable to parse 'inputs'"],
    ["nothing", inferPath("two"), "", 400, "failed to parse"],
    [
      "a wrong shape",
      inferPath("two"),
      two({}, { shape: [2, 3], data: values }),
      400,
      "unexpected shape for input 'INPUT0'",
    ],
    [
      "a wrong type",
      inferPath("two"),
      two({}, { datatype: "INT8", data: values }),
      400,
      "data-type is 'INT8'",
    ],
    ["too few values", inferPath("two"), two({}, { data: [1] }), 400, "input byte size mismatch"],
    [
      "no data",
      inferPath("two"),
      two({}, {}),
      400,
      "unable to find data for input tensor 'INPUT0'",
    ],
    [
      "text for a number",
      inferPath("two"),
      two({}, { data: [1, 2, "3", 4] }),
      400,
      '"3" is no FP32',
    ],
    [
      "a ragged list",
      inferPath("two"),
      two({}, { data: [[1, 2], 3, 4] }),
      400,
      "mixes arrays and values",
    ],
    [
      "an integer out of range",
      inferPath("echo_int8"),
      echo("INT8", [1, 2, 3, 128]),
      400,
      "128 is no INT8",
    ],
    ["a fraction", inferPath("echo_int8"), echo("INT8", [1, 2, 3, 0.5]), 400, "0.5 is no INT8"],
    [
      "an integer that JSON rounds",
      inferPath("echo_int64"),
      '{"inputs":[{"name":"INPUT0","datatype":"INT64","shape":[1,4],"data":[9007199254740993,0,0,0]}]}',
      400,
      "use the binary data format",
    ],
    [
      "FP16 as JSON",
      inferPath("echo_fp16"),
      echo("FP16", [1, 2, 3, 4]),
      400,
      "sending FP16 data via JSON is not supported",
    ],
    ["a bad parameter", inferPath("two"), two({ parameters: { a: {} } }), 400, "parameter 'a'"],
    ["a bad output", inferPath("two"), two({ outputs: [{}] }), 400, "'name' of an output"],
  ])("%s", async (_, path, body, status, text) => {
    const answer = await ask("POST", path, body);
    expect(answer.status).toBe(status);
    expect(answer.json.error).toContain(text);
    expect(core.held).toBe(0);
  });

  test("binary data that is too short, too long, or misannounced", async () => {
    const json = two({}, { parameters: { binary_data_size: 16 } });
    const refused = async (body: Uint8Array, headers: Record<string, string | number>) => {
      const answer = await ask("POST", inferPath("two"), body, headers);
      expect(answer.status).toBe(400);
      return answer.json.error as string;
    };
    expect(await refused(...binary(json, floats.subarray(1)))).toContain("ends 1 bytes before");
    expect(await refused(...binary(json, floats, floats))).toContain(
      "bytes behind what its JSON announces",
    );
    expect(
      await refused(...binary(two({}, { parameters: { binary_data_size: 12 } }), floats)),
    ).toContain("byte size mismatch");
    const header = "Inference-Header-Content-Length";
    expect(await refused(floats, { [header]: 1e6 })).toContain(
      "but 'inference-header-content-length' says",
    );
    expect(await refused(floats, { [header]: "x" })).toContain("must be an integer");
    expect(core.held).toBe(0);
  });

  test("a body beyond the limit", async () => {
    const body = Buffer.alloc(3 << 20, 0x20);
    const declared = await ask("POST", inferPath("two"), body, {
      "Content-Length": body.length,
    }).catch((error) => error);
    if (!(declared instanceof Error)) expect(declared.status).toBe(413);
    const streamed = await ask("POST", inferPath("two"), body, {
      "Transfer-Encoding": "chunked",
    }).catch((error) => error);
    if (!(streamed instanceof Error)) expect(streamed.status).toBe(413);
    expect((await get("/v2/health/live")).status).toBe(200);
  });

  test("what is no HTTP", async () => {
    const [host, port] = server.address.split(":");
    const socket = connect(Number(port), host);
    socket.write("NONSENSE\r\n\r\n");
    const text = await new Promise<string>((resolve) =>
      socket.once("data", (data) => resolve(String(data))),
    );
    expect(text).toContain("HTTP/1.1 400");
    expect(text).toContain('{"error":"malformed HTTP request');
    socket.destroy();
  });

  test("a client that goes away in the middle gives its buffers back", async () => {
    const [host, port] = server.address.split(":");
    const json = two({}, { parameters: { binary_data_size: 16 } });
    const socket = connect(Number(port), host);
    socket.write(
      `POST ${inferPath("two")} HTTP/1.1\r\nHost: x\r\nContent-Length: ${json.length + 16}\r\n` +
        `Inference-Header-Content-Length: ${json.length}\r\n\r\n${json}`,
    );
    for (let count = 0; core.held === 0 && count < 200; count++)
      await new Promise((r) => setTimeout(r, 5));
    expect(core.held).toBe(1);
    socket.destroy();
    for (let count = 0; core.held > 0 && count < 200; count++)
      await new Promise((r) => setTimeout(r, 5));
    expect(core.held).toBe(0);
  });
});

describe("connections", () => {
  test("are kept, also after an error", async () => {
    const [host, port] = server.address.split(":");
    const socket = connect(Number(port), host);
    let text = "";
    socket.on("data", (data) => {
      text += data;
    });
    for (const path of ["/v2/health/live", "/v2/nothing", "/v2/health/live"]) {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 404", "HTTP/1.1 200"]);
    expect(socket.destroyed).toBe(false);
    socket.destroy();
  });

  test("restricted groups ask for their header", async () => {
    const restricted = await start({ restrict: { health: ["x-key", "s3"] } });
    const at = (headers: Record<string, string>) =>
      ask("GET", "/v2/health/live", "", headers, restricted.address);
    expect(await at({})).toMatchObject({
      status: 403,
      json: { error: "This protocol is restricted, expecting header 'x-key'" },
    });
    expect((await at({ "X-Key": "s3" })).status).toBe(200);
    await restricted.close(100);
  });

  test("a drain finishes what is open", async () => {
    const draining = await start();
    const inputs = [
      { name: "INPUT0", datatype: "FP32", shape: [1, 16], data: new Array(16).fill(1) },
    ];
    const running = ask(
      "POST",
      inferPath("slow_fp32"),
      JSON.stringify({ inputs }),
      {},
      draining.address,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    await draining.close(5000);
    expect((await running).status).toBe(200);
  });
});
