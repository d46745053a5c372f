import { expect, it } from "vitest";
import { elementGeometry, RegionBuilder } from "../../../../src/schedule/stream/region.ts";

it("constants of a small value come over and over beside a larger one", () => {
  // Nine elements, one a beat; a value of three beside them.
  const region = new RegionBuilder(elementGeometry({ vectors: 3, vector: 3, lanes: 1 }));
  const codes = [5n, 6n, 7n];
  const asked = new Set<number>();
  const [wire] = region.constants(
    3,
    (element) => {
      asked.add(element);
      return codes[element];
    },
    3,
  );
  expect([...asked]).toEqual([0, 1, 2]);
  const { wires, words } = region.constantWords();
  expect(wires).toEqual([wire]);
  expect(words).toEqual(codes);
});

it("one constant for all beats is logic, not a track", () => {
  const region = new RegionBuilder(elementGeometry({ vectors: 3, vector: 3, lanes: 1 }));
  region.constants(3, (element) => [4n, 4n, 4n][element], 3);
  expect(region.constantWords().wires).toEqual([]);
});
