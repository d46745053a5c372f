import {
  asServeError,
  createInferenceCore,
  type InferenceCore,
  type ServeStatus,
} from "../serve/index.ts";
import {
  type InferenceService,
  type InferRequest,
  type InferResponse,
  type ModelDescription,
  type ModelHealth,
  ServiceError,
} from "./service.ts";

/** A device in this process, without a network: the same models, requests and answers. */
export interface LocalOptions {
  /** A bundle, or a folder of them. */
  readonly repository: string;
  /** `emulator` (default), `rtl`, ... as `--device` names them. */
  readonly device?: string;
}

const statusNumber: Readonly<Record<ServeStatus, number>> = {
  UNKNOWN: 2,
  INTERNAL: 13,
  NOT_FOUND: 5,
  INVALID_ARG: 3,
  UNAVAILABLE: 14,
  UNSUPPORTED: 12,
  ALREADY_EXISTS: 6,
  CANCELLED: 1,
};

/** The server's own core as a service; models are loaded by the first call. */
export class LocalService implements InferenceService {
  readonly name: string;
  readonly #options: LocalOptions;
  #core: Promise<InferenceCore> | undefined;

  constructor(options: LocalOptions) {
    this.name = `local ${options.device ?? "emulator"}`;
    this.#options = options;
  }

  async models(): Promise<readonly string[]> {
    const core = await this.#open();
    return core.repositoryIndex({ ready: false }).map(({ name }) => name);
  }

  async describe(model: string, version: string): Promise<ModelDescription> {
    const core = await this.#open();
    const { inputs, outputs } = this.#told(() => core.modelMetadata(model, version));
    return { inputs, outputs };
  }

  async health(model: string): Promise<ModelHealth> {
    const core = await this.#open();
    const [statistics] = this.#told(() => core.modelStatistics(model, ""));
    const { success, fail } = statistics.inference_stats;
    const meanNs = success.count === 0 ? 0 : success.ns / success.count;
    return { isReady: core.isReady, failures: fail.count, meanNs };
  }

  async infer(request: InferRequest, timeoutMs: number): Promise<InferResponse> {
    const core = await this.#open();
    const outputs = request.outputs.map((name) => ({ name }));
    const deadlineMs = timeoutMs > 0 ? performance.now() + timeoutMs : undefined;
    const header = { ...request, id: "", outputs, deadlineMs };
    const call = this.#told(() => core.begin(header));
    try {
      request.inputs.forEach(({ bytes }, i) => {
        call.inputs[i].open(bytes.length).set(bytes);
      });
    } catch (error) {
      call.cancel();
      throw this.#error(error);
    }
    try {
      const response = await call.run();
      const copies = response.outputs.map((output) => ({
        ...output,
        bytes: Uint8Array.from(output.bytes),
      }));
      response.release();
      return { version: response.version, outputs: copies };
    } catch (error) {
      throw this.#error(error);
    }
  }

  async close(): Promise<void> {
    const core = await this.#core;
    this.#core = undefined;
    await core?.close();
  }

  #open(): Promise<InferenceCore> {
    this.#core ??= (async () => {
      const { repository, device } = this.#options;
      const { core, loaded } = createInferenceCore({
        repository,
        ...(device !== undefined && { devices: [device] }),
      });
      await loaded;
      return core;
    })();
    return this.#core;
  }

  #told<T>(step: () => T): T {
    try {
      return step();
    } catch (error) {
      throw this.#error(error);
    }
  }

  #error(error: unknown): ServiceError {
    const { status, message } = asServeError(error);
    return new ServiceError(this.name, statusNumber[status], message, { cause: error });
  }
}
