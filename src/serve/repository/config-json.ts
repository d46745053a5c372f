import { fail } from "../../base/index.ts";
import type { Field, FieldKind, Message } from "./config-schema.ts";
import type { TextMessage } from "./text-format.ts";

/**
 * Checks a message that came as JSON against the schema. 64-bit integers may be texts, as protobuf writes
 * them; they become numbers.
 *
 * @param at where the value stands, for errors
 * @throws N2F_CONFIG_INVALID
 */
export function checkJsonMessage(value: unknown, schema: Message, at: string): TextMessage {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return wrong(value, "a message", at);
  }
  const message: TextMessage = {};
  for (const [name, content] of Object.entries(value)) {
    const field = Object.hasOwn(schema.fields, name) ? schema.fields[name] : undefined;
    if (field === undefined) fail("N2F_CONFIG_INVALID", `there is no field "${name}" here`, { at });
    if (content !== null) message[name] = checkField(content, field as Field, `${at}.${name}`);
  }
  return message;
}

function checkField(value: unknown, { kind, isMap, isRepeated }: Field, at: string): unknown {
  if (isMap === true) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return wrong(value, "an object", at);
    }
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, checkValue(entry, kind, `${at}.${key}`)]),
    );
  }
  if (isRepeated !== true) return checkValue(value, kind, at);
  if (!Array.isArray(value)) return wrong(value, "a list", at);
  return value.map((entry, i) => checkValue(entry, kind, `${at}[${i}]`));
}

function checkValue(value: unknown, kind: FieldKind, at: string): unknown {
  if (typeof kind !== "string") return checkJsonMessage(value, kind, at);
  switch (kind) {
    case "int": {
      const isText = typeof value === "string" && /^-?\d+$/.test(value);
      const number = isText ? Number(value) : value;
      return Number.isSafeInteger(number) ? number : wrong(value, "an integer", at);
    }
    case "string":
    case "enum":
      return typeof value === "string" ? value : wrong(value, "a text", at);
    case "bool":
      return typeof value === "boolean" ? value : wrong(value, "true or false", at);
    default:
      return value;
  }
}

function wrong(value: unknown, wanted: string, at: string): never {
  return fail("N2F_CONFIG_INVALID", `expected ${wanted}, got ${JSON.stringify(value)}`, { at });
}
