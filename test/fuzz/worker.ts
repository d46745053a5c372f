import { serveJobs } from "../support/pool.ts";
import { tryModel } from "./try-model.ts";

// ONNX Runtime is imported when it is first asked.
await serveJobs(tryModel);
