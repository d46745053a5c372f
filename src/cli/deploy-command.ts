import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { basename, resolve } from "node:path";
import { Command } from "commander";
import { packBundle, readBundle } from "../artifact/index.ts";
import { fail } from "../base/index.ts";
import { integer, list } from "./options.ts";
import { Output } from "./output.ts";

interface Flags {
  readonly to: string;
  readonly name?: string;
  readonly modelVersion: number;
  readonly config?: string;
  readonly header?: string[];
  readonly tls?: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly json?: boolean;
}

export function deployCommand(): Command {
  return new Command("deploy")
    .description(
      "sends a bundle to a running server, which serves it once it has proved itself there",
    )
    .argument("<bundle>", "folder that `compile` wrote")
    .requiredOption("--to <host[:port]>", "the server's HTTP address; port 8000 if none is given")
    .option("--name <name>", "of the model; the bundle's folder without .n2f by default")
    .option("--model-version <n>", "version of the model", integer(1, 999_999_999), 1)
    .option("--config <file>", "JSON file with the model's config, where it differs from the usual")
    .option("--header <header>", "NAME: VALUE, for servers that ask for one", list)
    .option("--tls", "speak HTTPS")
    .option("--tls-ca <file>", "certificate (PEM) that signed the server's")
    .option("--tls-cert <file>", "the client's own certificate (PEM)")
    .option("--tls-key <file>", "its key (PEM)")
    .option("--json", "one JSON document on stdout")
    .action((bundle: string, flags: Flags) => run(bundle, flags));
}

async function run(folder: string, flags: Flags): Promise<void> {
  const output = new Output(flags.json === true);
  const bundle = readBundle(folder);
  const name = flags.name ?? basename(resolve(folder)).replace(/\.n2f$/, "");
  output.progress("packing the bundle");
  const archive = packBundle(bundle);
  const file = `file:${flags.modelVersion}/model.n2f.zip`;
  const parameters: Record<string, string> = { [file]: Buffer.from(archive).toString("base64") };
  if (flags.config !== undefined) parameters["config"] = readText(flags.config);
  const server = serverOf(flags);
  output.progress(`sending ${archive.length} bytes to ${flags.to}`);
  const started = performance.now();
  const model = encodeURIComponent(name);
  await post(server, `/v2/repository/models/${model}/load`, { parameters });
  const seconds = (performance.now() - started) / 1000;
  output.done();
  output.document({ model: name, version: String(flags.modelVersion), server: flags.to, seconds });
  output.line(`${name} version ${flags.modelVersion} serves on ${flags.to}`);
}

interface Server {
  readonly text: string;
  readonly host: string;
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
}

function serverOf({ to, header = [], tls, tlsCa, tlsCert, tlsKey }: Flags): Server {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^:/\s]+)(?::(\d{1,5}))?$/.exec(to);
  if (match === null) {
    return fail("N2F_OPTION_INVALID", `"${to}" is no address`, {
      at: "--to",
      hint: "Give HOST or HOST:PORT.",
    });
  }
  const headers = header.map((line) => {
    const at = line.indexOf(":");
    if (at < 1) fail("N2F_OPTION_INVALID", `"${line}" is no header`, { at: "--header" });
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()] as const;
  });
  const isSecure = tls === true || [tlsCa, tlsCert, tlsKey].some((path) => path !== undefined);
  return {
    text: to,
    host: match[1].replace(/^\[|\]$/g, ""),
    port: Number(match[2] ?? 8000),
    headers: Object.fromEntries(headers),
    tls: isSecure
      ? {
          ...(tlsCa !== undefined && { ca: readText(tlsCa) }),
          ...(tlsCert !== undefined && { cert: readText(tlsCert) }),
          ...(tlsKey !== undefined && { key: readText(tlsKey) }),
        }
      : undefined,
  };
}

/** @throws N2F_SERVE_REMOTE with the server's own words, or why it cannot be reached */
async function post(server: Server, path: string, document: object): Promise<void> {
  const body = Buffer.from(JSON.stringify(document));
  const options = {
    host: server.host,
    port: server.port,
    method: "POST",
    path,
    headers: {
      ...server.headers,
      "content-type": "application/json",
      "content-length": body.length,
    },
    ...server.tls,
  };
  const send = server.tls === undefined ? httpRequest : httpsRequest;
  const { status, text } = await new Promise<{ status: number; text: string }>((done, failed) => {
    const request = send(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", failed);
      response.on("end", () =>
        done({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
      );
    });
    request.on("error", failed);
    request.end(body);
  }).catch((cause: Error) =>
    fail("N2F_SERVE_REMOTE", `the server cannot be reached: ${cause.message}`, {
      at: server.text,
      hint: "Is it running, is this its HTTP port, and does it listen beyond its own machine?",
      cause,
    }),
  );
  if (status >= 200 && status < 300) return;
  fail("N2F_SERVE_REMOTE", `the server refused: ${errorOf(text) ?? `HTTP status ${status}`}`, {
    at: server.text,
    hint: "Clients may load models where the server runs with --model-control explicit.",
  });
}

function errorOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { error?: string }).error;
  } catch {
    return undefined;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    return fail("N2F_FILE_READ", `the file cannot be read: ${(cause as Error).message}`, {
      at: path,
      cause,
    });
  }
}
