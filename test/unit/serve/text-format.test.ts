import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkJsonMessage } from "../../../src/serve/repository/config-json.ts";
import {
  type Field,
  type Message,
  modelConfigSchema,
} from "../../../src/serve/repository/config-schema.ts";
import {
  parseTextFormat,
  printTextFormat,
  type TextMessage,
} from "../../../src/serve/repository/text-format.ts";
import { problemOf } from "../../support/problem.ts";

const parse = (text: string): TextMessage =>
  parseTextFormat(text, modelConfigSchema, "config.pbtxt");

/** A message as the schema admits it. */
function messages(schema: Message): fc.Arbitrary<TextMessage> {
  const fields = Object.entries(schema.fields).map(
    ([name, field]) => [name, values(field)] as const,
  );
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] }) as fc.Arbitrary<TextMessage>;
}

function values({ kind, isMap, isRepeated }: Field): fc.Arbitrary<unknown> {
  const one: fc.Arbitrary<unknown> =
    kind === "string"
      ? fc.string({ unit: "grapheme", maxLength: 8 })
      : kind === "int"
        ? fc.maxSafeInteger()
        : kind === "float"
          ? fc.float({ noNaN: true })
          : kind === "bool"
            ? fc.boolean()
            : kind === "enum"
              ? fc.constantFrom("TYPE_FP32", "KIND_CPU", "REJECT")
              : kind === "any"
                ? fc.record({
                    depth: fc.nat(9),
                    inner: fc.record({ level: fc.constantFrom("A1", "a b") }),
                  })
                : messages(kind);
  if (isMap === true) {
    const keys = fc.string({ minLength: 1, maxLength: 5 }).filter((key) => key !== "__proto__");
    return fc.dictionary(keys, one, { minKeys: 1, maxKeys: 3, noNullPrototype: true });
  }
  return isRepeated === true ? fc.array(one, { minLength: 1, maxLength: 3 }) : one;
}

describe("protobuf's text format", () => {
  it("reads what configurations look like", () => {
    const text = `
      # A comment
      name: "facile" platform: 'x' "y"
      max_batch_size: 0x10;
      input [ { name: "a", data_type: TYPE_FP32, dims: [ 15 ] },
              { name: "b" data_type: TYPE_INT8 dims: 2 dims: 3 } ]
      output < name: "o\\t\\x41\\101\\u00e9" data_type: TYPE_FP32 dims: [ -1 ] >
      instance_group { count: 2 kind: KIND_MODEL gpus: [0, 1] }
      dynamic_batching { }
      parameters { key: "max_run_rows" value: { string_value: "64" } }
      parameters: { key: "other" value { string_value: "x" } }
      model_repository_agents { agents [ { name: "checksum" parameters { key: "1/m" value: "MD5:0" } } ] }
      optimization { graph { level: 1 } input_pinned_memory { enable: true } }
    `;
    expect(parse(text)).toEqual({
      name: "facile",
      platform: "xy",
      max_batch_size: 16,
      input: [
        { name: "a", data_type: "TYPE_FP32", dims: [15] },
        { name: "b", data_type: "TYPE_INT8", dims: [2, 3] },
      ],
      output: [{ name: "o\tAAé", data_type: "TYPE_FP32", dims: [-1] }],
      instance_group: [{ count: 2, kind: "KIND_MODEL", gpus: [0, 1] }],
      dynamic_batching: {},
      parameters: { max_run_rows: { string_value: "64" }, other: { string_value: "x" } },
      model_repository_agents: { agents: [{ name: "checksum", parameters: { "1/m": "MD5:0" } }] },
      optimization: { graph: { level: 1 }, input_pinned_memory: { enable: true } },
    });
  });

  it("prints what parses back to the same, and so does JSON", () => {
    fc.assert(
      fc.property(messages(modelConfigSchema), (message) => {
        const text = printTextFormat(message, modelConfigSchema);
        expect(parse(text)).toEqual(JSON.parse(JSON.stringify(message)));
        const json: unknown = JSON.parse(JSON.stringify(message));
        expect(checkJsonMessage(json, modelConfigSchema, "config")).toEqual(json);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ["max_batch: 3", 'there is no field "max_batch" here', "config.pbtxt:1:1"],
    ["name: 3", "expected a text in quotes, got 3", "config.pbtxt:1:7"],
    ['max_batch_size: "3"', 'expected an integer, got "3"', "config.pbtxt:1:17"],
    ["max_batch_size: 1.5", "expected an integer, got 1.5", "config.pbtxt:1:17"],
    ['name: "a"\nname: "b"', 'field "name" is given twice', "config.pbtxt:2:1"],
    ['input { name: "a"', "the file ends inside a message", "config.pbtxt:1:18"],
    ["input { name: ", "the file ends inside a message", "config.pbtxt:1:15"],
    ["dynamic_batching: 3", "expected { and the fields of a message, got 3", "config.pbtxt:1:19"],
    ["name { }", "expected a text in quotes, got a message", "config.pbtxt:1:6"],
    ['name: "a\\q"', "there is no escape \\q", "config.pbtxt:1:7"],
    ["name: `a`", 'unexpected character "`"', "config.pbtxt:1:7"],
    ["} ", "expected the name of a field, got }", "config.pbtxt:1:1"],
  ])("says where %j is wrong", (text, message, at) => {
    const problem = problemOf(() => parse(text));
    expect(problem).toMatchObject({ code: "N2F_CONFIG_INVALID", at });
    expect(problem?.message).toContain(message);
  });

  it("survives any text", () => {
    const pieces = fc.constantFrom(
      "name",
      ":",
      "{",
      "}",
      "<",
      ">",
      "[",
      "]",
      '"a"',
      "3",
      "-",
      "input",
      "dims",
      ",",
      "\\",
      "'",
      "optimization",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (words) => {
        try {
          parse(words.join(" "));
        } catch (error) {
          expect(error).toHaveProperty("problems");
        }
      }),
      { numRuns: 2000 },
    );
    const deep = problemOf(() => parse("optimization { a ".repeat(1) + "{ a ".repeat(10_000)));
    expect(deep?.message).toContain("levels of messages");
  });

  it("refuses JSON that does not fit", () => {
    for (const wrong of [
      3,
      [],
      { nmae: "x" },
      { name: 3 },
      { input: {} },
      { input: [3] },
      { parameters: [] },
    ]) {
      expect(() => checkJsonMessage(wrong, modelConfigSchema, "config")).toThrow(
        "N2F_CONFIG_INVALID",
      );
    }
    const texts = { max_batch_size: "8", input: [{ name: "x", dims: ["3"] }] };
    expect(checkJsonMessage(texts, modelConfigSchema, "config")).toEqual({
      max_batch_size: 8,
      input: [{ name: "x", dims: [3] }],
    });
  });
});
