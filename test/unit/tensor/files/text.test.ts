import { describe, expect, test } from "vitest";
import { damaged } from "../../../../src/tensor/files/damaged.ts";
import { readText, writeText } from "../../../../src/tensor/files/text.ts";
import { makeTensor } from "../../../../src/tensor/index.ts";
import { problemOf } from "../../../support/problem.ts";

const refuse = damaged("x.csv");
const read = (text: string) => readText(Buffer.from(text), refuse);

describe("reads", () => {
  test.each<[string, string, number[], number[]]>([
    ["commas", "1,2\n3,4\n", [2, 2], [1, 2, 3, 4]],
    ["commas with blanks", " 1 , 2 \n3,\t4", [2, 2], [1, 2, 3, 4]],
    ["white space", "  1 2\t3  \n 4  5 6\n", [2, 3], [1, 2, 3, 4, 5, 6]],
    ["one column", "1\n2\n3\n", [3, 1], [1, 2, 3]],
    [
      "comments and empty lines",
      "# made by hand\n\n1 2 # first\n   \n3 4\n#",
      [2, 2],
      [1, 2, 3, 4],
    ],
    ["a line of names", "pt, eta\n1,2\n", [1, 2], [1, 2]],
    ["names in quotes", '"pt","eta"\n1,2\n', [1, 2], [1, 2]],
    ["a comment before the names", "# jets\npt eta\n1 2\n", [1, 2], [1, 2]],
    ["the line ends of Windows", "a,b\r\n1,2\r\n3,4\r\n", [2, 2], [1, 2, 3, 4]],
    ["a byte order mark", "\ufeff1,2\n", [1, 2], [1, 2]],
    ["all ways to write numbers", "+1 -.5 2. 1e3 -1E-2", [1, 5], [1, -0.5, 2, 1000, -0.01]],
    [
      "what is no number",
      "1 nan -inf Infinity",
      [1, 4],
      [1, Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
    ],
  ])("%s", (_, text, shape, numbers) => {
    expect(read(text)).toEqual({
      name: "",
      tensor: makeTensor(shape, numbers),
      elementType: "float64",
    });
  });
});

describe("refuses", () => {
  test.each([
    ["nothing", "", "the file has no numbers"],
    ["only names", "a,b\n", "the file has no numbers"],
    ["rows of different lengths", "1,2\n3\n", "line 2 has 1 numbers; the first row has 2"],
    ["a first row that is half names", "1,b\n3,4\n", 'line 1, column 2: "b" is not a number'],
    ["names further down", "1,2\na,b\n", 'line 2, column 1: "a" is not a number'],
    ["an empty field", "1,,2\n", 'line 1, column 2: "" is not a number'],
    ["hexadecimal", "1\n0x10\n", 'line 2, column 1: "0x10" is not a number'],
    ["a decimal comma", "1;5\n2;5\n3 4\n", 'line 2, column 1: "2;5" is not a number'],
    ["bytes", "\x00\x01\x02", "this is not a text file"],
  ])("%s", (_, text, message) => {
    const problem = problemOf(() => read(text));
    expect(problem).toMatchObject({ code: "N2F_DATA_FORMAT", at: "x.csv" });
    expect(problem?.message).toBe(message);
  });
});

describe("writes", () => {
  test("the first axis as lines", () => {
    const tensor = makeTensor([2, 2, 1], [1, -0, Number.NaN, Number.NEGATIVE_INFINITY]);
    expect(String(writeText(tensor, "float64", ",", refuse))).toBe("1,-0\nnan,-inf\n");
    expect(String(writeText(makeTensor([2], [0.1, 2]), "float32", " ", refuse))).toBe(
      "0.10000000149011612\n2\n",
    );
  });

  test("no number that its type cannot hold", () => {
    const problem = problemOf(() => writeText(makeTensor([1], [300]), "uint8", ",", refuse));
    expect(problem?.message).toBe("300 does not fit into uint8");
  });
});
