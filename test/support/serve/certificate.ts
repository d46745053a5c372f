import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate of itself for `localhost`; undefined where openssl is not here. */
export function makeCertificate():
  | { readonly cert: string; readonly key: string; remove(): void }
  | undefined {
  const folder = mkdtempSync(join(tmpdir(), "n2f-cert-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const line = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
  const files = "-keyout own.key -out own.pem -subj /CN=localhost";
  try {
    execFileSync("openssl", `${line} ${files}`.split(" "), { cwd: folder, stdio: "pipe" });
  } catch {
    remove();
    console.error("\n*** SKIPPED: openssl is not here, which makes the certificates\n");
    return undefined;
  }
  return { cert: join(folder, "own.pem"), key: join(folder, "own.key"), remove };
}
