import { zipSync } from "fflate";
import { maxElements } from "../element.ts";
import type { NamedTensor } from "../named-tensor.ts";
import { quote } from "../quote.ts";
import { sizeOf } from "../tensor.ts";
import type { Damaged } from "./damaged.ts";
import { readNpy, writeNpy } from "./npy.ts";
import { unzip } from "./zip.ts";

const suffix = ".npy";

/** The first date a zip archive can have: the same arrays make the same bytes. */
const noDate = new Date(1980, 0, 1);

/** Reads numpy's `.npz`: a zip archive with one `.npy` for each array, in the archive's order. */
export function readNpz(bytes: Uint8Array, maxBytes: number, refuse: Damaged): NamedTensor[] {
  const arrays: NamedTensor[] = [];
  const names = new Set<string>();
  let elements = 0;
  for (const member of unzip(bytes, maxBytes, refuse)) {
    if (!member.name.endsWith(suffix)) {
      refuse(
        `the archive has a member ${quote(member.name)}, which is no array`,
        "Use numpy.savez.",
      );
    }
    const name = member.name.slice(0, -suffix.length);
    if (names.has(name)) refuse(`the archive has two arrays of the name ${quote(name)}`);
    names.add(name);
    const inside: Damaged = (what, hint) => refuse(`array ${quote(name)}: ${what}`, hint);
    const array = readNpy(member.bytes, inside);
    elements += sizeOf(array.tensor.shape);
    if (elements > maxElements) {
      refuse(`the arrays have more than ${maxElements} elements`, "Split them over several files.");
    }
    arrays.push({ ...array, name });
  }
  return arrays;
}

/** Writes arrays uncompressed, as `numpy.savez` does. */
export function writeNpz(arrays: readonly NamedTensor[], refuse: Damaged): Uint8Array {
  const members = new Map<string, Uint8Array>();
  for (const { name, tensor, elementType } of arrays) {
    if (name === "" || members.has(name + suffix)) {
      refuse(`${quote(name)} cannot be the name of an array here`, "Give each array its own name.");
    }
    members.set(name + suffix, writeNpy(tensor, elementType, refuse));
  }
  return zipSync(Object.fromEntries(members), { level: 0, mtime: noDate });
}
