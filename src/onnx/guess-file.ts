/**
 * What a file that is no ONNX model may be instead, and what to do then: people hand over the wrong
 * file more often than a damaged one.
 */
export function guessFile(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.subarray(0, 512)).toString("latin1");
  return guesses.find(({ looksLike }) => looksLike(start))?.hint;
}

interface Guess {
  looksLike(start: string): boolean;
  readonly hint: string;
}

const guesses: readonly Guess[] = [
  {
    looksLike: (start) => start.startsWith("version https://git-lfs"),
    hint: "This is a pointer of Git LFS and not the file itself; fetch it with `git lfs pull`.",
  },
  {
    looksLike: (start) => /^\s*<(!doctype|html|\?xml)/i.test(start),
    hint: "This is a web page, perhaps what a download answered with; fetch the file again.",
  },
  {
    looksLike: (start) => start.startsWith("PK\x03\x04"),
    hint: "This is a zip archive: unpack it, or, if it is a PyTorch checkpoint, use torch.onnx.export.",
  },
  {
    looksLike: (start) => start.startsWith("\x1f\x8b"),
    hint: "This file is compressed; unpack it with gunzip.",
  },
  {
    looksLike: (start) => start.startsWith("\x89HDF"),
    hint: "This is an HDF5 file; a Keras model is converted with tf2onnx.",
  },
  {
    looksLike: (start) => start.slice(4, 8) === "TFL3",
    hint: "This is a TensorFlow Lite model; convert it with tf2onnx.",
  },
  {
    looksLike: (start) => start.startsWith("\x93NUMPY"),
    hint: "This is a numpy array and not a model.",
  },
  {
    looksLike: (start) => start.startsWith("\x80\x02"),
    hint: "This is a Python pickle; a PyTorch model is saved as ONNX with torch.onnx.export.",
  },
  {
    looksLike: (start) => /^[\t\n\r\x20-\x7e]+$/.test(start),
    hint: "This is a text file; an ONNX model is a binary file.",
  },
];
