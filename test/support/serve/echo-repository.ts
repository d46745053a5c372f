import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configDatatype } from "../../../src/serve/index.ts";
import { echoModels } from "./echo-models.ts";

/** A repository with the models of `echoModels`, for the real server: each gives its input back. */
export function writeEchoRepository(folder: string): void {
  for (const { name, datatype, dims, maxBatch } of echoModels) {
    mkdirSync(join(folder, name, "1"), { recursive: true });
    const tensor = `data_type: ${configDatatype(datatype)} dims: [${dims.join(", ")}]`;
    const lines = [
      `backend: "identity"`,
      `max_batch_size: ${maxBatch}`,
      `input { name: "INPUT0" ${tensor} }`,
      `output { name: "OUTPUT0" ${tensor} }`,
      `model_repository_agents { agents { name: "checksum" parameters { key: "1/x" value: "MD5:0" } } }`,
    ];
    writeFileSync(join(folder, name, "config.pbtxt"), `${lines.join("\n")}\n`);
  }
}
