import { zipSync } from "fflate";

/** A `.npy` file of float32 numbers. */
export function encodeNpy(shape: readonly number[], data: Float32Array): Uint8Array {
  const dimensions = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dimensions}), }`;
  const header = `${dictionary.padEnd(117)}\n`;
  const head = Buffer.alloc(10);
  head.write("\x93NUMPY\x01\x00", "latin1");
  head.writeUInt16LE(header.length, 8);
  const body = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(Buffer.concat([head, Buffer.from(header), body]));
}

/** A `.npz` file of arrays that are `.npy` files. */
export function encodeNpz(arrays: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return zipSync(
    Object.fromEntries(Object.entries(arrays).map(([name, npy]) => [`${name}.npy`, npy])),
  );
}
