import { ConnectionError, errorCode } from "./protocol.ts";

/**
 * Bits of the code of each byte, and of the end mark behind them.
 * The code is canonical: codes of one length ascend with their bytes, shorter ones come first.
 *
 * @see RFC 7541 appendix B
 */
export const codeBits = [
  ...[13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28],
  ...[28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  ...[6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6],
  ...[5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10],
  ...[13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
  ...[7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  ...[15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5],
  ...[6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28],
  ...[20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23],
  ...[24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24],
  ...[22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23],
  ...[21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23],
  ...[26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25],
  ...[19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27],
  ...[20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23],
  ...[26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26],
  30,
];

const endMark = 256;

/** Two words a node: where a 0 and a 1 lead. Below zero: minus one less the byte that ends there. */
const tree = makeTree();

function makeTree(): Int16Array {
  const nodes = new Int16Array(2 * codeBits.length);
  const symbols = codeBits.map((_, symbol) => symbol);
  symbols.sort((a, b) => codeBits[a] - codeBits[b] || a - b);
  let [count, code, bits] = [1, 0, 0];
  for (const symbol of symbols) {
    code <<= codeBits[symbol] - bits;
    bits = codeBits[symbol];
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit--) {
      const at = 2 * node + ((code >> bit) & 1);
      if (nodes[at] === 0) nodes[at] = count++;
      node = nodes[at];
    }
    nodes[2 * node + (code & 1)] = -1 - symbol;
    code++;
  }
  return nodes;
}

/** @throws ConnectionError COMPRESSION_ERROR for the end mark, or padding that is not its beginning */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number): string {
  // The shortest code has 5 bits.
  const text = Buffer.allocUnsafe(Math.floor((8 * (to - from)) / 5));
  let length = 0;
  let node = 0;
  /** Bits since the last byte, and whether all of them are ones. */
  let [pending, isOnes] = [0, true];
  for (let at = from; at < to; at++) {
    for (let bit = 7; bit >= 0; bit--) {
      const one = (bytes[at] >> bit) & 1;
      const next = tree[2 * node + one];
      if (next >= 0) {
        node = next;
        pending++;
        if (one === 0) isOnes = false;
        continue;
      }
      const symbol = -1 - next;
      if (symbol === endMark) throw malformed("the end mark inside a text");
      text[length++] = symbol;
      [node, pending, isOnes] = [0, 0, true];
    }
  }
  if (pending > 7 || !isOnes) throw malformed("padding of a text");
  return text.toString("latin1", 0, length);
}

const malformed = (what: string) =>
  new ConnectionError(errorCode.COMPRESSION_ERROR, `malformed headers: ${what}`);
