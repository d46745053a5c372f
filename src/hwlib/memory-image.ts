import { assert } from "../base/index.ts";
import { clog2 } from "./module.ts";

/** Elements side by side in one word, two's complement, the first in the low bits. */
export function packWord(elements: readonly bigint[], elementBits: number): bigint {
  let word = 0n;
  for (let i = elements.length - 1; i >= 0; i--) {
    word = (word << BigInt(elementBits)) | BigInt.asUintN(elementBits, elements[i]);
  }
  return word;
}

/** The text of a $readmemh file: a word a line, all of the same length. */
export function memoryImage(words: readonly bigint[], wordBits: number): string {
  const digits = Math.ceil(wordBits / 4);
  return words
    .map((word) => {
      assert(
        word >= 0n && word >> BigInt(wordBits) === 0n,
        `${word} has more than ${wordBits} bits`,
      );
      return `${word.toString(16).padStart(digits, "0")}\n`;
    })
    .join("");
}

/** Bits of the address of a memory of some words; the modules have at least one. */
export function addressBits(depth: number): number {
  return Math.max(1, clog2(depth));
}
