import { readFileSync } from "node:fs";
import type { SecureServerOptions } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { fail } from "../../base/index.ts";
import type { FrontEndOptions } from "../front-ends.ts";

/**
 * Starts to listen and gives the address as `host:port`.
 * @throws Nn2fpgaError N2F_SERVE_LISTEN
 */
export function listen(server: Server, host: string, port: number, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      const reason = error.code === "EADDRINUSE" ? "is in use" : `cannot be used: ${error.message}`;
      try {
        fail("N2F_SERVE_LISTEN", `port ${port} ${reason}`, {
          at: `${what} on ${host}`,
          hint: "Choose another port, or 0 for any that is free.",
          cause: error,
        });
      } catch (problem) {
        reject(problem);
      }
    };
    server.once("error", onError);
    server.listen({ host, port, backlog: 1024 }, () => {
      server.off("error", onError);
      server.on("error", () => {}); // A failed accept is no reason to end.
      const { address, port: taken, family } = server.address() as AddressInfo;
      resolve(family === "IPv6" ? `[${address}]:${taken}` : `${address}:${taken}`);
    });
  });
}

/**
 * Key and certificates as Node wants them. With a CA, clients must show a certificate of it.
 * @throws Nn2fpgaError N2F_FILE_READ
 */
export function tlsOptions({
  cert,
  key,
  ca,
}: NonNullable<FrontEndOptions["tls"]>): SecureServerOptions {
  return {
    cert: readPem(cert, "TLS certificate"),
    key: readPem(key, "TLS key"),
    minVersion: "TLSv1.2",
    ...(ca !== undefined && {
      ca: readPem(ca, "TLS certificate authority"),
      requestCert: true,
      rejectUnauthorized: true,
    }),
  };
}

function readPem(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    fail("N2F_FILE_READ", `the ${what} cannot be read: ${(error as Error).message}`, {
      at: file,
      hint: "Name a PEM file that the server may read.",
      cause: error,
    });
  }
}
