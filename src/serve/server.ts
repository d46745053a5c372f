import { fail } from "../base/index.ts";
import type { InferenceCore } from "./core/inference-core.ts";
import { createInferenceCore } from "./create-core.ts";
import { type FrontEnd, type ServeLogger, startFrontEnds } from "./front-ends.ts";
import type { ServerPlan } from "./options.ts";

/** A server that listens. */
export interface RunningServer {
  readonly core: InferenceCore;
  readonly frontEnds: readonly FrontEnd[];
  /** Resolves when the models are loaded, with why those failed that did. */
  readonly loaded: Promise<readonly string[]>;
  /**
   * Ends it without losing a request: not ready, still serving for `drainMs`; then no new connections, and up to
   * `graceMs` for what is under way. Says whether everything was answered.
   */
  stop(): Promise<boolean>;
}

/**
 * Starts to listen at once, so that health checks see it live and not ready while models load.
 *
 * @throws Nn2fpgaError where a device, the repository or a port cannot be opened; nothing stays open then
 */
export async function startServer(plan: ServerPlan, logger: ServeLogger): Promise<RunningServer> {
  const { core, loaded } = createInferenceCore({ ...plan.core, logger });
  // Told to whoever waits for it; a server that cannot even listen has nobody.
  loaded.catch(() => {});
  let frontEnds: readonly FrontEnd[];
  try {
    frontEnds = await startFrontEnds(core, plan.frontEnds, logger);
    if (frontEnds.length === 0) {
      fail("N2F_OPTION_INVALID", "no front end is left to listen", {
        hint: "Leave --http-port or --grpc-port on.",
      });
    }
  } catch (error) {
    await core.close();
    throw error;
  }
  for (const { name, address } of frontEnds) logger.info({ frontEnd: name, address }, "listening");
  let stopped: Promise<boolean> | undefined;
  const stop = async (): Promise<boolean> => {
    core.startDrain();
    logger.info({ seconds: plan.drainMs / 1000 }, "draining");
    await new Promise((resolve) => setTimeout(resolve, plan.drainMs));
    const [isIdle] = await Promise.all([
      core.idle(plan.graceMs),
      ...frontEnds.map((frontEnd) => frontEnd.close(plan.graceMs)),
    ]);
    await core.close();
    logger.info({ allAnswered: isIdle }, "stopped");
    return isIdle;
  };
  return {
    core,
    frontEnds,
    loaded,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}
