import { type Datatype, datatypeBytes } from "../../../src/serve/index.ts";
import type { FakeModel } from "./fake-core.ts";

/** The models that the interoperability scripts expect: each gives its input back. */
export const echoModels: readonly FakeModel[] = [
  { name: "echo_fp32", datatype: "FP32", dims: [16], maxBatch: 1024 },
  { name: "slow_fp32", datatype: "FP32", dims: [16], maxBatch: 1024, delayMs: 200 },
  { name: "image", datatype: "FP32", dims: [224, 224, 3], maxBatch: 64 },
  ...(Object.keys(datatypeBytes) as Datatype[])
    .filter((datatype) => datatype !== "FP32")
    .map((datatype) => ({
      name: `echo_${datatype.toLowerCase()}`,
      datatype,
      dims: [4],
      maxBatch: 64,
    })),
];
