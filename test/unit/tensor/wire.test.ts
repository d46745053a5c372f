import { describe, expect, test } from "vitest";
import { tensorWireSchema, wireFault } from "../../../src/tensor/index.ts";

const schema = {
  Tree: { 1: "Tree", 2: "int32", 3: "int64s", 4: "floats", 5: "text", 6: "doubles" },
} as const;

/** A message inside `depth` messages. */
function nested(depth: number): Uint8Array {
  let bytes: number[] = [];
  for (let i = 0; i < depth; i++) bytes = [0x0a, ...varint(bytes.length), ...bytes];
  return Uint8Array.from(bytes);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

describe("accepts", () => {
  test.each([
    ["nothing", []],
    ["a number", [0x10, 0x05]],
    ["a negative number in ten bytes", [0x10, ...Array(9).fill(0xff), 1]],
    ["a packed list", [0x1a, 3, 1, 0x80, 1]],
    ["a list that is not packed", [0x18, 1, 0x18, 2]],
    ["a field that it does not know", [0x7a, 2, 0xff, 0xff]],
    ["99 levels", nested(99)],
  ])("%s", (_, bytes) => {
    expect(wireFault(Uint8Array.from(bytes), schema, "Tree")).toBeUndefined();
  });
});

describe("refuses", () => {
  test.each([
    ["a field of number zero", [0x00, 0x01], "byte 0: no field starts here, inside Tree"],
    ["a tag without end", [0x80], "byte 0: no field starts here, inside Tree"],
    ["a number without end", [0x10, 0x80], "byte 0: field 2 is cut off, inside Tree"],
    [
      "seven bytes for an int32",
      [0x10, ...Array(6).fill(0x80), 1],
      "byte 0: field 2 is cut off, inside Tree",
    ],
    [
      "a length beyond the end",
      [0x2a, 9, 1],
      "byte 0: field 5 claims 9 bytes where 1 are left, inside Tree",
    ],
    [
      "a length of gigabytes",
      [0x2a, 0xff, 0xff, 0xff, 0xff, 7],
      "byte 0: field 5 claims 2147483647 bytes where 0 are left, inside Tree",
    ],
    [
      "a length beyond the parent",
      [0x0a, 2, 0x2a, 3, 1, 2, 3],
      "byte 2: field 5 claims 3 bytes where 0 are left, inside Tree",
    ],
    ["text where a number belongs", [0x12, 0], "byte 0: field 2 has the wrong type, inside Tree"],
    ["a number where text belongs", [0x28, 0], "byte 0: field 5 has the wrong type, inside Tree"],
    [
      "a list of floats and a half",
      [0x22, 6, 0, 0, 0, 0, 0, 0],
      "byte 0: the list in field 4 is damaged, inside Tree",
    ],
    ["a group", [0x0b, 0x0c], "byte 0: wire type 3 of field 1 is not in use, inside Tree"],
    ["100 levels", nested(100), "messages nest deeper than 100 levels, inside Tree"],
  ])("%s", (_, bytes, fault) => {
    expect(wireFault(Uint8Array.from(bytes), schema, "Tree")).toContain(fault);
  });

  test("ten million empty messages: they would fill the memory", () => {
    const bytes = new Uint8Array(2e7);
    for (let i = 0; i < bytes.length; i += 2) bytes[i] = 0x0a;
    expect(wireFault(bytes, schema, "Tree")).toContain("would take more than 1024 MiB");
  });

  test("twenty million 64-bit integers, of which the library makes objects", () => {
    const list = [0x3a, ...varint(2e7)];
    const bytes = new Uint8Array(list.length + 2e7);
    bytes.set(list);
    expect(wireFault(bytes, tensorWireSchema, "Tensor")).toContain("more than 1024 MiB");
  });
});
