import type { ServerAddress } from "./grpc-channel.ts";
import { GrpcService } from "./grpc-service.ts";
import { type LocalOptions, LocalService } from "./local-service.ts";
import {
  type InferenceService,
  type InferRequest,
  type InferResponse,
  type ModelDescription,
  ServiceError,
} from "./service.ts";

/** Who may answer, in which order, and how often each is asked. Plain data: it also goes to a worker thread. */
export interface CallPlan {
  readonly model: string;
  /** "" for the newest. */
  readonly version: string;
  readonly servers: readonly ServerAddress[];
  /** Name of the server that is taken if it has the model. */
  readonly preferredServer?: string;
  /** A device in this process: asked first where there are no servers, last where there are. */
  readonly fallback?: LocalOptions;
  /** Tries on the same server; 1 or more. */
  readonly allowedTries: number;
  /** One more try on another server that has the model: the one with fewest failures, then the quickest. */
  readonly retriesElsewhere: boolean;
  /** For each try; 0 waits as long as it takes. */
  readonly timeoutMs: number;
}

/** An answer, and how it was come by. */
export interface Answer {
  readonly response: InferResponse;
  readonly service: string;
  readonly tries: number;
}

const invalidArgument = 3;
const notFound = 5;

/**
 * Makes calls by a plan: chooses a server that lists the model, tries again, elsewhere, and on the fallback.
 * What a server calls a wrong request is wrong everywhere and is not tried again.
 */
export class Caller {
  readonly #plan: CallPlan;
  readonly #servers: readonly InferenceService[];
  readonly #fallback: InferenceService | undefined;
  #current: Promise<InferenceService> | undefined;

  constructor(plan: CallPlan) {
    this.#plan = plan;
    this.#servers = plan.servers.map((server) => new GrpcService(server));
    this.#fallback = plan.fallback && new LocalService(plan.fallback);
  }

  async describe(): Promise<ModelDescription> {
    const { model, version } = this.#plan;
    return (await this.#service()).describe(model, version);
  }

  /** @throws ServiceError when all that the plan allows has been tried */
  async infer(request: InferRequest): Promise<Answer> {
    const first = await this.#service();
    const failures: ServiceError[] = [];
    for await (const service of this.#order(first)) {
      try {
        const response = await service.infer(request, this.#plan.timeoutMs);
        if (service !== first) this.#current = Promise.resolve(service);
        return { response, service: service.name, tries: failures.length + 1 };
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        failures.push(error);
        if (error.status === invalidArgument) break;
      }
    }
    const last = failures[failures.length - 1];
    if (failures.length === 1) throw last;
    throw new ServiceError(
      last.service,
      last.status,
      `the call failed after ${failures.length} tries; the last said: ${last.message}`,
      { cause: last },
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.#servers, ...this.#local()].map((service) => service.close()));
  }

  #local(): readonly InferenceService[] {
    return this.#fallback === undefined ? [] : [this.#fallback];
  }

  /** Whom to ask, one after the other; looked up only when it comes to that. */
  async *#order(first: InferenceService): AsyncGenerator<InferenceService> {
    for (let i = 0; i < this.#plan.allowedTries; i++) yield first;
    if (this.#plan.retriesElsewhere) {
      const other = await this.#bestOther(first);
      if (other !== undefined) yield other;
    }
    if (this.#fallback !== undefined && this.#fallback !== first) yield this.#fallback;
  }

  async #bestOther(first: InferenceService): Promise<InferenceService | undefined> {
    const others = this.#servers.filter((service) => service !== first);
    const known = await Promise.all(
      others.map(async (service) => {
        try {
          const models = await service.models();
          if (!models.includes(this.#plan.model)) return [];
          return [{ service, health: await service.health(this.#plan.model) }];
        } catch {
          return [];
        }
      }),
    );
    const able = known.flat().filter(({ health }) => health.isReady);
    able.sort((a, b) => a.health.failures - b.health.failures || a.health.meanNs - b.health.meanNs);
    return able[0]?.service;
  }

  /** The service that calls go to, until it fails. */
  #service(): Promise<InferenceService> {
    const chosen = this.#current ?? this.#choose();
    this.#current = chosen;
    // A job may outlive an outage: the next call looks again.
    chosen.catch(() => {
      if (this.#current === chosen) this.#current = undefined;
    });
    return chosen;
  }

  async #choose(): Promise<InferenceService> {
    const { model, preferredServer } = this.#plan;
    const order = [...this.#servers].sort(
      (a, b) => Number(b.name === preferredServer) - Number(a.name === preferredServer),
    );
    const said: string[] = [];
    for (const service of [...order, ...this.#local()]) {
      try {
        if ((await service.models()).includes(model)) return service;
        said.push(`${service.name} does not list it`);
      } catch (error) {
        said.push((error as Error).message);
      }
    }
    const reasons = said.length === 0 ? "there are no servers and no fallback" : said.join("; ");
    throw new ServiceError("client", notFound, `nobody serves the model '${model}': ${reasons}`);
  }
}
