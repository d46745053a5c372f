// Compiles the jet tagger, verifies it, and tags the test jets: node examples/01-jet-tagger/run.js

import { accuracy } from "../../scripts/lib/data.js";
import { runExample } from "../../scripts/lib/example.js";

await runExample({
  name: "01-jet-tagger",
  input: "features",
  output: "probabilities",
  score: (answers, labels) => `${(accuracy(answers, labels) * 100).toFixed(2)} % of the jets right`,
});
