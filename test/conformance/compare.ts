import type { NamedTensor, Tensor } from "../../src/tensor/index.ts";

/** How ONNX's own runner compares: |y - r| <= 1e-7 + 1e-3 |r|, infinities and NaN alike. */
const absolute = 1e-7;
const relative = 1e-3;

/** What the fixed-point answer may be off by, as a share of the output's range. */
const fixedShare = 2 ** -8;

/** What differs from the reference in float, in words; empty where nothing does. */
export function floatDifference(actual: Tensor, reference: NamedTensor): string {
  const { tensor } = reference;
  const wrong = formDifference(actual, tensor);
  if (wrong !== "") return wrong;
  return elementDifference(actual, tensor, (y) => absolute + relative * Math.abs(y));
}

/**
 * What differs from the reference in fixed point: |y - r| > 2^-8 R, where R is the range of the reference,
 * greatest minus least; or, where it is the same everywhere, its absolute value, or 1 where that is zero.
 */
export function fixedDifference(actual: Tensor, reference: NamedTensor): string {
  const { tensor } = reference;
  const wrong = formDifference(actual, tensor);
  if (wrong !== "") return wrong;
  let [low, high] = [Infinity, -Infinity];
  for (const y of tensor.data) {
    if (!Number.isFinite(y)) continue;
    low = Math.min(low, y);
    high = Math.max(high, y);
  }
  const range = high > low ? high - low : Math.abs(high) || 1;
  return elementDifference(actual, tensor, () => fixedShare * range);
}

function formDifference({ shape, dtype }: Tensor, reference: Tensor): string {
  if (shape.join() !== reference.shape.join()) {
    return `the shape is [${shape}], not [${reference.shape}]`;
  }
  return dtype === reference.dtype ? "" : `the type is ${dtype}, not ${reference.dtype}`;
}

function elementDifference(
  actual: Tensor,
  reference: Tensor,
  allowed: (y: number) => number,
): string {
  let count = 0;
  let worst = -1;
  let most = 0;
  reference.data.forEach((y, i) => {
    const got = actual.data[i];
    const isSame = got === y || (Number.isNaN(got) && Number.isNaN(y));
    const error = Math.abs(got - y);
    if (isSame || error <= allowed(y)) return;
    count++;
    const size = Number.isFinite(error) ? error : Infinity;
    if (size > most) [most, worst] = [size, i];
  });
  if (count === 0) return "";
  const share = `${count} of ${reference.data.length} elements differ`;
  return `${share}; element ${worst} is ${actual.data[worst]}, not ${reference.data[worst]}`;
}
