import { serveJobs } from "../support/pool.ts";
import type { CaseEntry } from "./case.ts";
import { type Mode, runCase } from "./run-case.ts";

serveJobs(({ entry, mode }: { entry: CaseEntry; mode: Mode }) => runCase(entry, mode));
