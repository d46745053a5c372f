import { writeFileSync } from "node:fs";
import { operatorsPage } from "./operators-page.ts";
import { readResults } from "./results.ts";

/** `npm run docs`: docs/operators.md anew, from the code and the results of the last run of all cases. */
const page = new URL("../../docs/operators.md", import.meta.url);
writeFileSync(page, operatorsPage(readResults()));
