// Compiles FACILE, verifies it, and estimates the test energies: node examples/02-facile/run.js

import { meanSquaredError } from "../../scripts/lib/data.js";
import { runExample } from "../../scripts/lib/example.js";

await runExample({
  name: "02-facile",
  input: "features",
  output: "log_energy",
  score: (answers, truth) =>
    `mean squared error ${meanSquaredError(answers, truth).toFixed(4)} of ln(1 + E / GeV)`,
});
