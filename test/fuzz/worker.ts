import { serveJobs } from "../support/pool.ts";
import { tryModel } from "./try-model.ts";

serveJobs(tryModel);
