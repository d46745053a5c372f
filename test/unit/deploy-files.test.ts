import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { serveCommand } from "../../src/cli/serve-command.ts";
import { planServer, readServeOptions } from "../../src/serve/index.ts";

const read = (path: string): string => readFileSync(join("deploy", path), "utf8");

/** All of it is data of others' schemas. */
// biome-ignore lint/suspicious/noExplicitAny: manifests of Kubernetes
type Manifest = any;

const manifests = (path: string): Manifest[] =>
  parseAllDocuments(read(path)).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS();
  });

const kubernetes = readdirSync("deploy/kubernetes").filter((name) => name.endsWith(".yaml"));
const all = kubernetes
  .filter((name) => name !== "serve.yaml")
  .flatMap((name) => manifests(`kubernetes/${name}`));
const find = (kind: string, name: string): Manifest =>
  all.find(({ kind: its, metadata }) => its === kind && metadata?.name === name);
const server = find("Deployment", "nn2fpga").spec.template;
const container = server.spec.containers[0];

/** Milliseconds after which the configured checks of HAProxy have seen a server drain. */
function noticeMs(config: string): number[] {
  return Array.from(
    config.matchAll(/inter (\d+)s fall (\d+)/g),
    ([, inter, fall]) => 1000 * Number(inter) * Number(fall),
  );
}

describe("deploy/", () => {
  it.each(["systemd/serve.yaml", "kubernetes/serve.yaml"])(
    "%s has options that exist, and ports that agree with the rest",
    (path) => {
      const plan = planServer(readServeOptions(join("deploy", path)));
      expect(plan.frontEnds).toMatchObject({
        host: "0.0.0.0",
        httpPort: 8000,
        grpcPort: 8001,
        metricsPort: 8002,
      });
      const known = new Set(serveCommand().options.map(({ long }) => long?.slice(2)));
      for (const [, option] of read(path).matchAll(/^([a-z-]+):/gm)) {
        if (option !== "repository") expect(known).toContain(option);
      }
      // What notices the drain must do so before it is over.
      for (const ms of noticeMs(read("haproxy/haproxy.cfg")))
        expect(plan.drainMs).toBeGreaterThan(2 * ms);
      const { periodSeconds, failureThreshold } = container.readinessProbe;
      expect(plan.drainMs).toBeGreaterThan(1000 * periodSeconds * failureThreshold);
      // And what ends the server must wait until it has ended itself.
      const patienceMs =
        1000 *
        (path.startsWith("systemd")
          ? Number(/^TimeoutStopSec=(\d+)$/m.exec(read("systemd/nn2fpga.service"))?.[1])
          : server.spec.terminationGracePeriodSeconds);
      expect(patienceMs).toBeGreaterThan(plan.drainMs + plan.graceMs);
    },
  );

  it.each([
    [
      "systemd unit",
      /^ExecStart=.*nn2fpga (serve .*)$/m.exec(read("systemd/nn2fpga.service"))?.[1].split(" ") ??
        [],
    ],
    ["Deployment", container.args as string[]],
  ])("the %s calls the program as it can be called", (_, [command, ...given]) => {
    expect(command).toBe("serve");
    const parsed = serveCommand().parseOptions([...given]);
    expect(parsed).toEqual({ operands: [], unknown: [] });
    expect(given).toEqual(["--config", "/etc/nn2fpga/serve.yaml"]);
  });

  it("the image starts the server as it can be started, and not as root", () => {
    const text = read("docker/Dockerfile").replaceAll("\\\n", "");
    const line = (word: string): string => new RegExp(`^${word} (.*)$`, "m").exec(text)?.[1] ?? "";
    const [command, repository, ...options] = JSON.parse(line("CMD")) as string[];
    expect([command, repository]).toEqual(["serve", "/srv/nn2fpga/models"]);
    const parsed = serveCommand().parseOptions([...options]);
    expect(parsed).toEqual({ operands: [], unknown: [] });
    expect(line("EXPOSE")).toBe("8000 8001 8002");
    expect(line("USER")).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(line("ENTRYPOINT")).toBe('["nn2fpga"]');
    expect(text).toContain("http://127.0.0.1:8000/v2/health/live");
    const { version } = JSON.parse(readFileSync("package.json", "utf8"));
    expect(text).toContain(`nn2fpga:${version}`);
    expect(container.image).toBe(`nn2fpga:${version}`);
    for (const [, from] of text.matchAll(/^COPY ([^-].*) \S+$/gm)) {
      for (const path of from.split(" ")) expect(existsSync(path), path).toBe(true);
    }
  });

  it("the pods have the ports, probes and folders that the server has", () => {
    const ports = Object.fromEntries(
      container.ports.map(({ name, containerPort }: Manifest) => [name, containerPort]),
    );
    expect(ports).toEqual({ http: 8000, grpc: 8001, metrics: 8002 });
    expect(container.readinessProbe.httpGet).toEqual({ path: "/v2/health/ready", port: "http" });
    expect(container.livenessProbe.httpGet).toEqual({ path: "/v2/health/live", port: "http" });
    expect(server.metadata.annotations["prometheus.io/port"]).toBe(String(ports["metrics"]));
    const mounts = container.volumeMounts.map(({ mountPath }: Manifest) => mountPath);
    const { repository } = readServeOptions("deploy/kubernetes/serve.yaml");
    expect(mounts).toEqual(expect.arrayContaining([repository, "/etc/nn2fpga", "/tmp"]));
    const volumes = server.spec.volumes.map(({ name }: Manifest) => name).sort();
    expect(container.volumeMounts.map(({ name }: Manifest) => name).sort()).toEqual(volumes);
  });

  it("services lead to ports and pods that are there", () => {
    const deployments = all.filter(({ kind }) => kind === "Deployment");
    const services = all.filter(({ kind }) => kind === "Service");
    expect(services).toHaveLength(2);
    for (const { spec } of services) {
      const target = deployments.find(
        ({ spec: { template } }) => template.metadata.labels.app === spec.selector.app,
      );
      const names = target.spec.template.spec.containers[0].ports.map(({ name }: Manifest) => name);
      for (const { targetPort } of spec.ports) expect(names).toContain(targetPort);
    }
    const pods = find("Service", "nn2fpga-pods");
    const monitor = find("ServiceMonitor", "nn2fpga").spec;
    expect(pods.metadata.labels).toMatchObject(monitor.selector.matchLabels);
    expect(pods.spec.ports.map(({ name }: Manifest) => name)).toContain(monitor.endpoints[0].port);
    const { namespace, resources, configMapGenerator } = manifests(
      "kubernetes/kustomization.yaml",
    )[0];
    const targets = Array.from(
      read("kubernetes/haproxy.cfg").matchAll(/ ([\w.-]+\.svc\.cluster\.local):(\d+)/g),
    );
    expect(targets.map(([, host, port]) => [host, port])).toEqual([
      [`${pods.metadata.name}.${namespace}.svc.cluster.local`, "8001"],
      [`${pods.metadata.name}.${namespace}.svc.cluster.local`, "8000"],
    ]);
    const files = configMapGenerator.flatMap((map: Manifest) => map.files);
    const named = [
      "kustomization.yaml",
      "service-monitor.yaml",
      "haproxy.cfg",
      ...resources,
      ...files,
    ];
    expect([...new Set(named)].sort()).toEqual(readdirSync("deploy/kubernetes").sort());
  });

  it("HAProxy in a cluster is HAProxy before machines, but for where the servers are", () => {
    const common = (config: string): string[] =>
      config
        .split("\n")
        .filter(
          (line) =>
            /^\s*[a-z]/.test(line) && !/^\s*(server|resolvers|parse-resolv|hold)/.test(line),
        );
    expect(common(read("kubernetes/haproxy.cfg"))).toEqual(common(read("haproxy/haproxy.cfg")));
  });

  it("HAProxy and nginx listen on the server's ports and lead to them", () => {
    const haproxy = read("haproxy/haproxy.cfg");
    for (const port of [8000, 8001]) {
      expect(haproxy).toMatch(new RegExp(`bind :${port}\\b`));
      expect(haproxy).toMatch(new RegExp(`server fpga-1 fpga-node-1:${port}\\b`));
      expect(read("nginx/nginx.conf")).toMatch(new RegExp(`server fpga-node-1:${port}\\b`));
      expect(read("nginx/nginx.conf")).toMatch(new RegExp(`listen ${port}\\b`));
    }
    expect(haproxy).toContain("GET /v2/health/ready");
    const { maxRequestBytes } = planServer({ repository: "x" }).frontEnds;
    expect(read("nginx/nginx.conf")).toContain(
      `client_max_body_size ${maxRequestBytes / 2 ** 20}m`,
    );
  });
});
