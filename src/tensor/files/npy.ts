import {
  type ByteOrder,
  byteCount,
  decodeElements,
  type ElementType,
  elementTypes,
  encodeElements,
  maxElements,
  maxRank,
} from "../element.ts";
import type { NamedTensor } from "../named-tensor.ts";
import { quote } from "../quote.ts";
import { type Shape, shapeText, sizeOf, stridesOf, type Tensor } from "../tensor.ts";
import { type Damaged, refuseMisfit, refuseWide } from "./damaged.ts";

const magic = "\x93NUMPY";

/** Kind and size in bytes, as numpy writes them, of the element types that both sides have. */
const descriptors: Readonly<Partial<Record<ElementType, string>>> = {
  bool: "b1",
  float16: "f2",
  float32: "f4",
  float64: "f8",
  int8: "i1",
  int16: "i2",
  int32: "i4",
  int64: "i8",
  uint8: "u1",
  uint16: "u2",
  uint32: "u4",
  uint64: "u8",
};

/**
 * Reads numpy's `.npy`, versions 1 to 3, in C or Fortran order.
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function readNpy(bytes: Uint8Array, refuse: Damaged): NamedTensor {
  const { header, dataAt } = splitHeader(bytes, refuse);
  const { elementType, order } = parseDescriptor(header, refuse);
  const shape = parseShape(header, refuse);
  const count = sizeOf(shape);
  const expected = byteCount(elementType, count);
  const data = bytes.subarray(dataAt);
  if (data.length !== expected) {
    refuse(
      `${elementType} of shape ${shapeText(shape)} takes ${expected} bytes; after the header there are ${data.length}`,
    );
  }
  const isFortran = /["']fortran_order["']\s*:\s*True/.test(header);
  const values = decodeElements(data, elementType, count, refuseWide(refuse), order);
  const tensor: Tensor = {
    shape,
    dtype: elementTypes[elementType].dtype,
    data: isFortran ? fromFortranOrder(values, shape) : values,
  };
  return { name: "", tensor, elementType };
}

/** Writes version 1, little-endian, C order: the bytes that numpy itself would write. */
export function writeNpy(tensor: Tensor, elementType: ElementType, refuse: Damaged): Uint8Array {
  const { shape, data } = tensor;
  const descriptor = descriptors[elementType];
  if (descriptor === undefined) {
    refuse(`numpy has no type for ${elementType}`, "Write a wider type, or a .pb file.");
  }
  const order = elementTypes[elementType].bits === 8 ? "|" : "<";
  const extents = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const fields = `{'descr': '${order}${descriptor}', 'fortran_order': False, 'shape': (${extents}), }`;
  const prefix = magic.length + 4;
  const headerBytes = Math.ceil((prefix + fields.length + 1) / 64) * 64 - prefix;
  const header = `${fields.padEnd(headerBytes - 1)}\n`;
  const start = Buffer.alloc(prefix);
  start.write(magic, "latin1");
  start[magic.length] = 1;
  start.writeUInt16LE(headerBytes, magic.length + 2);
  const body = encodeElements(data, elementType, refuseMisfit(elementType, refuse));
  return Buffer.concat([start, Buffer.from(header, "latin1"), body]);
}

function splitHeader(bytes: Uint8Array, refuse: Damaged): { header: string; dataAt: number } {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 12 || file.toString("latin1", 0, 6) !== magic) {
    refuse("this is not a .npy file", "Write it with numpy.save.");
  }
  const version = file[6];
  if (version < 1 || version > 3) refuse(`version ${version} of the .npy format is unknown`);
  const headerAt = version === 1 ? 10 : 12;
  const length = version === 1 ? file.readUInt16LE(8) : file.readUInt32LE(8);
  const dataAt = headerAt + length;
  if (dataAt > file.length) refuse(`the header claims ${length} bytes and is cut off`);
  return { header: file.toString("utf8", headerAt, Math.min(dataAt, headerAt + 2 ** 16)), dataAt };
}

function parseDescriptor(
  header: string,
  refuse: Damaged,
): { elementType: ElementType; order: ByteOrder } {
  const text = /["']descr["']\s*:\s*(["'])([^"']*)\1/.exec(header)?.[2];
  const parts = /^([<>|=]?)(\w+)$/.exec(text ?? "");
  const kind = parts?.[2] === "?" ? "b1" : parts?.[2];
  const elementType = (Object.keys(descriptors) as ElementType[]).find(
    (type) => descriptors[type] === kind,
  );
  if (elementType === undefined) {
    refuse(
      text === undefined
        ? "the array has no simple element type"
        : `there are no numbers of type ${quote(text)}`,
      "Convert it first, for example with array.astype('float32').",
    );
  }
  return { elementType, order: parts?.[1] === ">" ? "big" : "little" };
}

function parseShape(header: string, refuse: Damaged): Shape {
  const text = /["']shape["']\s*:\s*\(([\d\sL,]*)\)/.exec(header)?.[1];
  if (text === undefined) refuse("the header has no shape");
  const parts = text.split(",").map((part) => part.trim().replace(/L$/, ""));
  if (parts.at(-1) === "") parts.pop();
  const shape = parts.map(Number);
  const size = shape.reduce((product, extent) => product * Math.max(extent, 1), 1);
  if (parts.includes("") || shape.length > maxRank || !(size <= maxElements)) {
    refuse(
      `the shape (${text.slice(0, 80)}) is not possible`,
      `Up to ${maxElements} elements and ${maxRank} axes can be read.`,
    );
  }
  return shape;
}

/** Row-major data from an array whose first axis changes fastest. */
function fromFortranOrder(values: Float64Array, shape: Shape): Float64Array {
  const data = new Float64Array(values.length);
  const strides = stridesOf(shape);
  const index = new Array<number>(shape.length).fill(0);
  let to = 0;
  for (const value of values) {
    data[to] = value;
    for (let axis = 0; axis < shape.length; axis++) {
      index[axis]++;
      to += strides[axis];
      if (index[axis] < shape[axis]) break;
      to -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return data;
}
