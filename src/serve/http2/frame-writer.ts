import { type ErrorCode, frameType } from "./protocol.ts";

/** Bytes in front of each frame: length, type, flags, number of the stream. */
export const headBytes = 9;

export function writeFrameHead(
  into: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  into[at] = length >>> 16;
  into[at + 1] = length >>> 8;
  into[at + 2] = length;
  into[at + 3] = type;
  into[at + 4] = flags;
  into[at + 5] = streamId >>> 24;
  into[at + 6] = streamId >>> 16;
  into[at + 7] = streamId >>> 8;
  into[at + 8] = streamId;
  return at + headBytes;
}

export function frameOf(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array,
): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + payload.length);
  frame.set(payload, writeFrameHead(frame, 0, payload.length, type, flags, streamId));
  return frame;
}

export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * settings.length);
  for (const [at, [id, value]] of settings.entries()) {
    payload.writeUInt16BE(id, 6 * at);
    payload.writeUInt32BE(value, 6 * at + 2);
  }
  return frameOf(frameType.SETTINGS, 0, 0, payload);
}

export function windowUpdateFrame(streamId: number, bytes: number): Buffer {
  return frameOf(frameType.WINDOW_UPDATE, 0, streamId, word(bytes));
}

export function resetFrame(streamId: number, code: ErrorCode): Buffer {
  return frameOf(frameType.RST_STREAM, 0, streamId, word(code));
}

export function goAwayFrame(lastStreamId: number, code: ErrorCode, message = ""): Buffer {
  const payload = Buffer.concat([word(lastStreamId), word(code), Buffer.from(message)]);
  return frameOf(frameType.GOAWAY, 0, 0, payload);
}

function word(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
