import type { PortTensor } from "../../artifact/index.ts";

import { maxCode, minCode } from "../../fixed/index.ts";
import { clamp, word64 } from "./arithmetic.ts";
import { fitsSigned } from "./interval.ts";
import { addressOf, elementBytes, type Stored } from "./layout.ts";
import { wrap } from "./requantize.ts";
import {
  constantVec,
  loadVec,
  makeVec,
  samplesPerVec,
  storeVec,
  toLane,
  type Vec,
  vecBytes,
} from "./vec.ts";
import { type FunctionBuilder, type I32, i32, i64x2, type V128, v128 } from "./wasm/index.ts";

/** Bytes of the samples before sample s of a block: packets follow one another without gaps. */
type PacketBytes = number;

/**
 * Reads one tensor of a block of packets to lanes. Whatever bytes stand there become codes of the
 * tensor: bits above its width are dropped, and what its interval rules out is brought to the interval's
 * end. So the proofs hold for any input, and packets beyond the last sample do no harm.
 */
export function unpackTensor(
  f: FunctionBuilder,
  packets: I32,
  packetBytes: PacketBytes,
  tensor: PortTensor,
  value: Stored,
  stride: number,
  vectors: number,
): void {
  const { lane } = value.buffer;
  f.scope(() => {
    const from = f.bind(packets);
    const to = f.bind(i32.const(addressOf(value, stride)));
    f.repeat(tensor.sizeBytes / tensor.elementBytes, () => {
      for (let v = 0; v < vectors; v++) {
        f.scope(() => {
          const first = tensor.offsetBytes + v * samplesPerVec * packetBytes;
          const raw = readContainers(f, from, first, packetBytes, tensor);
          const code = clamp(f, toCode(f, raw, tensor), value.interval.lo, value.interval.hi);
          storeVec(f, to, v * vecBytes(lane), code, lane);
        });
      }
      f.advance(from, tensor.elementBytes);
      f.advance(to, elementBytes(lane, stride));
    });
  });
}

/** The containers of four samples, zero-extended to lanes. */
function readContainers(
  f: FunctionBuilder,
  from: I32,
  offset: number,
  packetBytes: PacketBytes,
  tensor: PortTensor,
): Vec {
  const bits = (8 * tensor.elementBytes) as 8 | 16 | 32 | 64;
  const zero = constantVec(0n, 32).parts[0];
  const lane = bits === 64 ? 64 : 32;
  const perRegister = 128 / lane;
  const parts = Array.from({ length: lane / 32 }, (_, part) => {
    let register: V128 = zero;
    for (let i = 0; i < perRegister; i++) {
      const at = offset + (part * perRegister + i) * packetBytes;
      register = f.bind(v128.loadLane(bits, from, at, register, (i * lane) / bits));
    }
    return register;
  });
  return makeVec(lane, parts, word64);
}

/** The code in the low bits of a container. */
function toCode(f: FunctionBuilder, raw: Vec, { format, elementBytes: bytes }: PortTensor): Vec {
  const range = { lo: minCode(format), hi: maxCode(format) };
  if (raw.lane === 64 || fitsSigned(range, 32)) {
    const bits = { ...raw, ...word64 };
    if (!format.signed && format.width === 8 * bytes) return { ...raw, ...range };
    return wrap(f, bits, range, format.signed, format.width);
  }
  const [x] = raw.parts;
  return makeVec(64, [f.bind(i64x2.extendLow32u(x)), f.bind(i64x2.extendHigh32u(x))], range);
}

/** Writes one tensor of a block of packets. */
export function packTensor(
  f: FunctionBuilder,
  packets: I32,
  packetBytes: PacketBytes,
  tensor: PortTensor,
  value: Stored,
  stride: number,
  vectors: number,
): void {
  const { lane } = value.buffer;
  const bits = (8 * tensor.elementBytes) as 8 | 16 | 32 | 64;
  f.scope(() => {
    const to = f.bind(packets);
    const from = f.bind(i32.const(addressOf(value, stride)));
    f.repeat(tensor.sizeBytes / tensor.elementBytes, () => {
      for (let v = 0; v < vectors; v++) {
        f.scope(() => {
          const loaded = loadVec(f, from, v * vecBytes(lane), lane, value.interval);
          const vec = bits === 64 ? toLane(f, loaded, 64) : loaded;
          const perRegister = 128 / vec.lane;
          for (let s = 0; s < samplesPerVec; s++) {
            const part = vec.parts[Math.floor(s / perRegister)];
            const at = tensor.offsetBytes + (v * samplesPerVec + s) * packetBytes;
            f.storeLane(bits, to, at, part, ((s % perRegister) * vec.lane) / bits);
          }
        });
      }
      f.advance(to, tensor.elementBytes);
      f.advance(from, elementBytes(lane, stride));
    });
  });
}
