import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InferReader } from "../../../../src/serve/grpc/infer-reader.ts";
import { type Datatype, datatypeBytes } from "../../../../src/serve/index.ts";
import { ModelInferRequestSchema } from "../../../../src/serve/proto/inference_pb.ts";
import { FakeCore } from "../../../support/serve/fake-core.ts";

const client = { isLocal: true };
const models = (Object.keys(datatypeBytes) as Datatype[]).map((datatype) => ({
  name: datatype,
  datatype,
  dims: [4],
  maxBatch: 8,
}));

/** Decodes a message that comes in the given pieces, and gives the input's bytes. */
function decode(core: FakeCore, pieces: readonly Uint8Array[]): Uint8Array {
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  const reader = new InferReader(core, client, size);
  try {
    for (const piece of pieces) reader.push(Buffer.from(piece));
    const { request } = reader.finish();
    return (request.inputs[0].bytes as Uint8Array).slice();
  } finally {
    reader.cancel();
  }
}

const message = (model: string, more: object) =>
  toBinary(
    ModelInferRequestSchema,
    create(ModelInferRequestSchema, {
      modelName: model,
      id: "id-1",
      parameters: {
        priority: { parameterChoice: { case: "uint64Param", value: 2n } },
        timeout: { parameterChoice: { case: "int64Param", value: -1n } },
        mine: { parameterChoice: { case: "stringParam", value: "text ä" } },
        half: { parameterChoice: { case: "doubleParam", value: 0.5 } },
        sequence_start: { parameterChoice: { case: "boolParam", value: true } },
      },
      inputs: [{ name: "INPUT0", datatype: model, shape: [2n, 4n] }],
      outputs: [{ name: "OUTPUT0" }],
      ...more,
    }),
  );

const raw = new Uint8Array(32).map((_, at) => at * 7);

describe("ModelInfer's decoder", () => {
  test("takes the header before the tensors come", () => {
    const core = new FakeCore(models);
    expect(decode(core, [message("FP32", { rawInputContents: [raw] })])).toEqual(raw);
    expect(core.lastHeader).toMatchObject({
      model: "FP32",
      version: "",
      id: "id-1",
      inputs: [{ name: "INPUT0", datatype: "FP32", shape: [2, 4] }],
      outputs: [{ name: "OUTPUT0" }],
    });
    expect(Object.fromEntries(core.lastHeader?.parameters ?? [])).toEqual({
      priority: 2,
      timeout: -1,
      mine: "text ä",
      half: 0.5,
      sequence_start: true,
    });
    expect(core.held).toBe(0);
  });

  test("the cuts between the pieces make no difference", () => {
    const whole = message("FP32", { rawInputContents: [raw] });
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length), { maxLength: 12 }), (cuts) => {
        const core = new FakeCore(models);
        const sorted = [0, ...cuts.sort((a, b) => a - b), whole.length];
        const pieces = sorted.slice(1).map((cut, at) => whole.subarray(sorted[at], cut));
        expect(decode(core, pieces)).toEqual(raw);
        expect(core.held).toBe(0);
      }),
    );
    const bytes = Array.from(whole, (byte) => Uint8Array.of(byte));
    expect(decode(new FakeCore(models), bytes)).toEqual(raw);
  });

  test("raw contents may stand before the rest, and the header around them", () => {
    const head = message("FP32", {});
    const tensor = message("", { rawInputContents: [raw] }).subarray(-34);
    expect([...tensor.subarray(0, 2)]).toEqual([0x3a, 32]);
    expect(decode(new FakeCore(models), [tensor, head])).toEqual(raw);
    // The id comes last: the request has to begin anew with it.
    const core = new FakeCore(models);
    const id = Uint8Array.of(0x1a, 2, 0x7a, 0x7a);
    expect(decode(core, [head, tensor, id])).toEqual(raw);
    expect(core.lastHeader?.id).toBe("zz");
    expect(core.held).toBe(0);
  });

  const typed: readonly (readonly [
    Datatype,
    object,
    (view: DataView, at: number) => number | bigint,
    readonly (number | bigint)[],
  ])[] = [
    [
      "BOOL",
      { boolContents: [true, false, true, true, false, false, true, false] },
      (v, i) => v.getUint8(i),
      [1, 0, 1, 1, 0, 0, 1, 0],
    ],
    [
      "INT8",
      { intContents: [-128, -1, 0, 1, 2, 3, 4, 127] },
      (v, i) => v.getInt8(i),
      [-128, -1, 0, 1, 2, 3, 4, 127],
    ],
    [
      "INT16",
      { intContents: [-32768, -1, 0, 1, 2, 3, 4, 32767] },
      (v, i) => v.getInt16(2 * i, true),
      [-32768, -1, 0, 1, 2, 3, 4, 32767],
    ],
    [
      "INT32",
      { intContents: [-(2 ** 31), -1, 0, 1, 2, 3, 4, 2 ** 31 - 1] },
      (v, i) => v.getInt32(4 * i, true),
      [-(2 ** 31), -1, 0, 1, 2, 3, 4, 2 ** 31 - 1],
    ],
    [
      "INT64",
      { int64Contents: [-(2n ** 63n), -1n, 0n, 1n, 2n, 3n, 4n, 2n ** 63n - 1n] },
      (v, i) => v.getBigInt64(8 * i, true),
      [-(2n ** 63n), -1n, 0n, 1n, 2n, 3n, 4n, 2n ** 63n - 1n],
    ],
    [
      "UINT8",
      { uintContents: [0, 1, 2, 3, 4, 5, 6, 255] },
      (v, i) => v.getUint8(i),
      [0, 1, 2, 3, 4, 5, 6, 255],
    ],
    [
      "UINT16",
      { uintContents: [0, 1, 2, 3, 4, 5, 6, 65535] },
      (v, i) => v.getUint16(2 * i, true),
      [0, 1, 2, 3, 4, 5, 6, 65535],
    ],
    [
      "UINT32",
      { uintContents: [0, 1, 2, 3, 4, 5, 6, 2 ** 32 - 1] },
      (v, i) => v.getUint32(4 * i, true),
      [0, 1, 2, 3, 4, 5, 6, 2 ** 32 - 1],
    ],
    [
      "UINT64",
      { uint64Contents: [0n, 1n, 2n, 3n, 4n, 5n, 6n, 2n ** 64n - 1n] },
      (v, i) => v.getBigUint64(8 * i, true),
      [0n, 1n, 2n, 3n, 4n, 5n, 6n, 2n ** 64n - 1n],
    ],
    [
      "FP32",
      { fp32Contents: [0, 1, -1, 0.5, 1e30, 2, 3, 4] },
      (v, i) => v.getFloat32(4 * i, true),
      [0, 1, -1, 0.5, Math.fround(1e30), 2, 3, 4],
    ],
    [
      "FP64",
      { fp64Contents: [0, 1, -1, 0.5, 1e300, 2, 3, 0.1] },
      (v, i) => v.getFloat64(8 * i, true),
      [0, 1, -1, 0.5, 1e300, 2, 3, 0.1],
    ],
  ];
  test.each(typed)("typed contents of %s become raw bytes", (datatype, contents, read, values) => {
    const inputs = [{ name: "INPUT0", datatype, shape: [2n, 4n], contents }];
    const bytes = decode(new FakeCore(models), [message(datatype, { inputs })]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    expect(values.map((_, at) => read(view, at))).toEqual(values);
  });

  test("elements may also come one by one, unpacked", () => {
    // contents { int_contents: 5 int_contents: 6 ... }, a tag for each.
    const contents = Uint8Array.from([5, 6, 7, 8].flatMap((value) => [0x10, value]));
    const input = Buffer.concat([
      Buffer.from([0x0a, 6]),
      Buffer.from("INPUT0"),
      Buffer.from([0x12, 4]),
      Buffer.from("INT8"),
      Buffer.from([0x18, 1, 0x18, 4, 0x2a, contents.length]),
      contents,
    ]);
    const whole = Buffer.concat([
      Buffer.from([0x0a, 4]),
      Buffer.from("INT8"),
      Buffer.from([0x2a, input.length]),
      input,
    ]);
    expect([...decode(new FakeCore(models), [whole])]).toEqual([5, 6, 7, 8]);
  });

  test("bytes_contents get their lengths", () => {
    const texts = ["", "a", "ä", "four"].map((text) => Buffer.from(text));
    const inputs = [
      { name: "INPUT0", datatype: "BYTES", shape: [1n, 4n], contents: { bytesContents: texts } },
    ];
    const expected = Buffer.concat(
      texts.flatMap((text) => [Buffer.from([text.length, 0, 0, 0]), text]),
    );
    expect(decode(new FakeCore(models), [message("BYTES", { inputs })])).toEqual(
      new Uint8Array(expected),
    );
  });

  const contents = { fp32Contents: [1, 2, 3, 4, 5, 6, 7, 8] };
  test.each([
    [
      "no data",
      message("FP32", {}),
      "unable to find data for input tensor 'INPUT0' for model 'FP32' in request.",
    ],
    [
      "both kinds of data",
      message("FP32", {
        inputs: [{ name: "INPUT0", datatype: "FP32", shape: [2n, 4n], contents }],
        rawInputContents: [raw],
      }),
      "contents field must not be specified when using raw_input_contents for 'INPUT0' for model 'FP32'",
    ],
    [
      "contents of another type",
      message("INT32", {
        inputs: [{ name: "INPUT0", datatype: "INT32", shape: [2n, 4n], contents }],
      }),
      "unexpected explicit tensor data",
    ],
    [
      "FP16 as contents",
      message("FP16", {
        inputs: [{ name: "INPUT0", datatype: "FP16", shape: [2n, 4n], contents }],
      }),
      "send it as raw_input_contents",
    ],
    [
      "a wrong size",
      message("FP32", { rawInputContents: [raw.subarray(1)] }),
      "input byte size mismatch for input 'INPUT0' for model 'FP32'. Expected 32, got 31",
    ],
    [
      "too many tensors",
      message("FP32", { rawInputContents: [raw, raw] }),
      "unexpected number of raw_input_contents",
    ],
    [
      "a size beyond the message",
      Buffer.concat([message("FP32", {}), Buffer.from([0x3a, 0xff, 0xff, 0xff, 0x7f])]),
      "longer than the message",
    ],
    [
      "a message cut short",
      message("FP32", { rawInputContents: [raw] }).subarray(0, 60),
      "malformed",
    ],
    ["an impossible wire type", Buffer.from([0x0b, 1]), "malformed"],
    ["a field of number 0", Buffer.from([0x02, 1, 0]), "malformed"],
    ["an endless number", Buffer.alloc(32, 0xff), "malformed"],
    [
      "a shape without end",
      message("FP32", {
        inputs: [{ name: "INPUT0", datatype: "FP32", shape: new Array(100).fill(1n) }],
      }),
      "more than 64 dimensions",
    ],
  ])("refuses %s", (_, bytes, text) => {
    const core = new FakeCore(models);
    expect(() => decode(core, [bytes])).toThrow(text);
    expect(core.held).toBe(0);
  });

  test("whatever comes, it refuses with a message or decodes, and holds nothing", () => {
    const whole = message("FP32", { rawInputContents: [raw] });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (changes) => {
          const core = new FakeCore(models);
          const mutated = Buffer.from(whole);
          for (const [at, value] of changes) mutated[at] = value;
          try {
            decode(core, [mutated.subarray(0, 20), mutated.subarray(20)]);
          } catch (error) {
            expect(["ServeError", "GrpcError"]).toContain((error as Error).name);
            expect((error as Error).message).not.toBe("");
          }
          expect(core.held).toBe(0);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
