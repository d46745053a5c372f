// A long run of the server at saturation, with clients that die, give up and send nonsense:
//
//   npm run soak -- --minutes 10
//
// It is test/e2e/serve-soak-wire.test.ts, which takes 20 s otherwise; the last line of its output has the counts.
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const seconds = 60 * Number(values.minutes);
if (!(seconds > 0)) {
  console.error(`soak: --minutes must be a number above 0, not "${values.minutes}"`);
  process.exit(2);
}
const { status } = spawnSync(
  "npx",
  ["vitest", "run", "--project", "timed", "test/e2e/serve-soak-wire.test.ts"],
  {
    stdio: "inherit",
    env: { ...process.env, N2F_SOAK_SECONDS: String(seconds) },
  },
);
process.exit(status ?? 1);
