import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ActiveRequest } from "../../../src/serve/core/active-request.ts";
import { BufferPool } from "../../../src/serve/core/buffer-pool.ts";
import type { DynamicBatching, ModelConfig } from "../../../src/serve/core/model-config.ts";
import { ServeError } from "../../../src/serve/core/serve-error.ts";
import { type ModelSignature, tensorSpec } from "../../../src/serve/core/signature.ts";
import type { Executor, RunPart } from "../../../src/serve/scheduler/executor.ts";
import { DeviceLane } from "../../../src/serve/scheduler/lane.ts";
import { ModelScheduler } from "../../../src/serve/scheduler/model-scheduler.ts";
import { schedulingPolicy } from "../../../src/serve/scheduler/policy.ts";
import { Recorder } from "../../../src/serve/scheduler/recorder.ts";

const signature: ModelSignature = {
  model: "m",
  version: "1",
  maxBatchSize: 1000,
  inputs: [tensorSpec("x", "FP32", [1])],
  outputs: [tensorSpec("y", "FP32", [1])],
};

const floats = (bytes: Uint8Array): Float32Array =>
  new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);

/** y = 2 x + 1, after as many turns of the event loop as it is told; its runs are kept. */
class Doubler implements Executor {
  readonly isBatching = true;
  readonly maxRows: number;
  readonly lane: DeviceLane;
  readonly runs: { readonly rows: number; readonly requests: readonly ActiveRequest[] }[] = [];
  readonly #turns: () => number;
  readonly #fails: () => boolean;
  isClosed = false;
  release: (() => void) | undefined;

  constructor(lane: DeviceLane, maxRows: number, turns = () => 1, fails = () => false) {
    this.lane = lane;
    this.maxRows = maxRows;
    this.#turns = turns;
    this.#fails = fails;
  }

  async run(parts: readonly RunPart[], rows: number) {
    this.runs.push({ rows, requests: parts.map(({ request }) => request) });
    expect(rows).toBeLessThanOrEqual(this.maxRows);
    expect(parts.reduce((sum, part) => sum + part.rows, 0)).toBe(rows);
    const inputs = parts.map(({ request, firstRow, rows: count }) =>
      floats(request.input(0).bytes).slice(firstRow, firstRow + count),
    );
    const turns = this.#turns();
    if (turns === Number.POSITIVE_INFINITY) await new Promise<void>((go) => (this.release = go));
    for (let turn = 0; turn < turns && turns < 1e9; turn++) {
      await new Promise((next) => setImmediate(next));
    }
    if (this.#fails()) throw new Error("the device is on fire");
    parts.forEach(({ request, firstRow }, i) => {
      if (!request.isSettled) {
        floats(request.output(0)).set(
          inputs[i].map((x) => 2 * x + 1),
          firstRow,
        );
      }
    });
    return { inputMs: 0, inferMs: 1, outputMs: 0 };
  }

  async close() {
    this.isClosed = true;
  }
}

interface Setup {
  readonly batching?: DynamicBatching | undefined;
  readonly executors: readonly Executor[];
  readonly maxRequests?: number;
  readonly maxBytes?: number;
}

function setUp({ batching, executors, maxRequests = 1000, maxBytes = 1e9 }: Setup) {
  const pool = new BufferPool();
  const recorder = new Recorder("m", "1");
  const config = { ...(batching && { dynamic_batching: batching }) } as ModelConfig;
  const scheduler = new ModelScheduler({
    signature,
    recorder,
    policy: schedulingPolicy(config),
    limits: { requests: maxRequests, bytes: maxBytes },
    executors,
  });
  const send = (
    values: readonly number[],
    parameters = new Map<string, number>(),
    deadlineMs?: number,
  ) => {
    const request = scheduler.begin(
      {
        model: "m",
        version: "",
        id: "",
        inputs: [{ name: "x", datatype: "FP32", shape: [values.length, 1] }],
        outputs: [],
        parameters,
        deadlineMs,
      },
      pool,
    );
    floats(request.inputs[0].open(4 * values.length)).set(values);
    const answer = request.run().then((response) => {
      const result = [...floats(response.outputs[0].bytes)];
      response.release();
      return result;
    });
    answer.catch(() => {});
    return { request, answer };
  };
  return { pool, recorder, scheduler, send };
}

const turn = (): Promise<void> => new Promise((next) => setImmediate(next));

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

describe("the scheduler", () => {
  it("packs waiting requests into one run", async () => {
    const unit = new Doubler(new DeviceLane("d", 9), 100);
    const { send, recorder } = setUp({ batching: {}, executors: [unit] });
    const sent = [[1, 2], [3], [4, 5, 6]].map((values) => send(values));
    expect(await Promise.all(sent.map(({ answer }) => answer))).toEqual([[3, 5], [7], [9, 11, 13]]);
    expect(unit.runs.map(({ rows }) => rows)).toEqual([6]);
    const { inference_count, execution_count, batch_stats } = recorder.statistics();
    expect([inference_count, execution_count]).toEqual([6, 1]);
    expect(batch_stats.map(({ batch_size }) => batch_size)).toEqual([6]);
  });

  it("runs each request by itself without dynamic batching", async () => {
    const unit = new Doubler(new DeviceLane("d", 9), 100);
    const { send } = setUp({ executors: [unit] });
    await Promise.all([[1, 2], [3]].map((values) => send(values).answer));
    expect(unit.runs.map(({ rows }) => rows)).toEqual([2, 1]);
  });

  it("splits what is larger than a run, and fills the last part up", async () => {
    const unit = new Doubler(new DeviceLane("d", 9), 4);
    const { send, recorder } = setUp({ batching: {}, executors: [unit] });
    const values = Array.from({ length: 9 }, (_, i) => i);
    const sent = [send(values), send([10, 20]), send([30, 40])];
    const [large, small] = await Promise.all(sent.map(({ answer }) => answer));
    expect(large).toEqual(values.map((x) => 2 * x + 1));
    expect(small).toEqual([21, 41]);
    expect(unit.runs.map(({ rows }) => rows)).toEqual([4, 4, 3, 2]);
    expect(recorder.statistics()).toMatchObject({ inference_count: 13, execution_count: 4 });
  });

  it("does not wait where a preferred size is there", async () => {
    const unit = new Doubler(new DeviceLane("d", 9), 100);
    const batching = { max_queue_delay_microseconds: 1e8, preferred_batch_size: [4] };
    const { send } = setUp({ batching, executors: [unit] });
    const first = send([1, 2]);
    await turns(5);
    expect(unit.runs).toEqual([]);
    send([3, 4]);
    await first.answer;
    expect(unit.runs.map(({ rows }) => rows)).toEqual([4]);
  });

  it("waits for more up to the delay", async () => {
    const unit = new Doubler(new DeviceLane("d", 9), 100);
    const { send } = setUp({
      batching: { max_queue_delay_microseconds: 30_000 },
      executors: [unit],
    });
    const begun = performance.now();
    await send([5]).answer;
    expect(performance.now() - begun).toBeGreaterThan(25);
  });

  it("serves higher priorities first", async () => {
    const unit = new Doubler(new DeviceLane("d", 1), 1);
    const { send } = setUp({
      batching: { priority_levels: 3, default_priority_level: 2 },
      executors: [unit],
    });
    const order: number[] = [];
    const wanted = [3, 0, 1, 3, 1];
    const sent = wanted.map((priority, i) => send([i], new Map([["priority", priority]])));
    await Promise.all(sent.map(({ answer }, i) => answer.then(() => order.push(i))));
    expect(order).toEqual([2, 4, 1, 0, 3]);
  });

  it("refuses what its queue has no place for", async () => {
    const unit = new Doubler(new DeviceLane("d", 1), 1);
    const { send, recorder } = setUp({ executors: [unit], maxRequests: 2 });
    const sent = [1, 2, 3].map((x) => send([x]));
    const results = await Promise.allSettled(sent.map(({ answer }) => answer));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    await expect(sent[2].answer).rejects.toMatchObject({
      status: "UNAVAILABLE",
      message: "Exceeds maximum queue size",
    });
    expect(recorder.statistics().inference_stats.fail.count).toBe(1);
    expect(recorder.metrics(0, 0).failures.REJECTED).toBe(1);
  });

  it("bounds the bytes that wait", async () => {
    const unit = new Doubler(new DeviceLane("d", 1), 100);
    const { send } = setUp({ executors: [unit], maxBytes: 40 });
    const sent = [8, 4, 1].map((rows) => send(new Array(rows).fill(1)));
    const results = await Promise.allSettled(sent.map(({ answer }) => answer));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  it("rejects what waited too long, and puts it last where the policy says so", async () => {
    for (const timeout_action of ["REJECT", "DELAY"] as const) {
      const unit = new Doubler(new DeviceLane("d", 1), 1, () => Number.POSITIVE_INFINITY);
      const policy = {
        timeout_action,
        allow_timeout_override: true,
      };
      const { send } = setUp({ batching: { default_queue_policy: policy }, executors: [unit] });
      const running = send([0]);
      await turns(2);
      const late = send([1], new Map([["timeout", 1000]]));
      await new Promise((done) => setTimeout(done, 15));
      unit.release?.();
      await running.answer;
      await turns(3);
      unit.release?.();
      if (timeout_action === "DELAY") expect(await late.answer).toEqual([3]);
      else await expect(late.answer).rejects.toThrow("Request timeout expired");
    }
  });

  it("drops a request whose deadline has passed, before or in the queue", async () => {
    const unit = new Doubler(new DeviceLane("d", 1), 1, () => Number.POSITIVE_INFINITY);
    const { send, pool } = setUp({ executors: [unit] });
    const past = send([9], new Map(), performance.now() - 1);
    await expect(past.answer).rejects.toThrow("Request timeout expired");
    const running = send([0]);
    await turns(2);
    const late = send([1], new Map(), performance.now() + 3);
    await expect(late.answer).rejects.toThrow("Request timeout expired");
    unit.release?.();
    expect(await running.answer).toEqual([1]);
    expect(unit.runs).toHaveLength(1);
    expect(pool.bytesInFlight).toBe(0);
  });

  it("keeps the buffers of a cancelled request until its run has ended", async () => {
    const unit = new Doubler(new DeviceLane("d", 1), 4, () => Number.POSITIVE_INFINITY);
    const { send, pool, scheduler } = setUp({ batching: {}, executors: [unit] });
    const { request, answer } = send([1, 2]);
    await turns(2);
    request.cancel();
    await expect(answer).rejects.toMatchObject({ status: "CANCELLED" });
    expect(pool.bytesInFlight).toBeGreaterThan(0);
    let isRetired = false;
    const retired = scheduler.retire().then(() => (isRetired = true));
    await turns(2);
    expect(isRetired).toBe(false);
    unit.release?.();
    await retired;
    expect(pool.bytesInFlight).toBe(0);
    expect(unit.isClosed).toBe(true);
  });

  it("spreads runs over idle units before it queues them behind busy ones", async () => {
    const units = [1, 2, 3].map((i) => new Doubler(new DeviceLane(`d${i}`, 9), 1, () => 4));
    const { send } = setUp({ executors: units });
    await Promise.all([1, 2, 3].map((x) => send([x]).answer));
    expect(units.map(({ runs }) => runs.length)).toEqual([1, 1, 1]);
    await Promise.all(Array.from({ length: 30 }, (_, x) => send([x]).answer));
    for (const { runs } of units) expect(runs.length).toBeGreaterThanOrEqual(9);
  });

  it("puts more on a device that has run dry while requests waited", async () => {
    const lane = new DeviceLane("d", 99);
    let finish: (() => void)[] = [];
    const executor: Executor = {
      lane,
      maxRows: 1,
      isBatching: true,
      run: async (parts) => {
        await new Promise<void>((done) => finish.push(done));
        for (const { request } of parts) request.output(0).fill(0);
        return { inputMs: 0, inferMs: 1, outputMs: 0 };
      },
      close: async () => {},
    };
    const { send } = setUp({ executors: [executor] });
    const sent = Array.from({ length: 200 }, (_, i) => send([i]));
    const depths: number[] = [];
    // All runs are seen to end at once, as by a thread that was busy until long after the last.
    while (depths.reduce((sum, depth) => sum + depth, 0) < sent.length) {
      await new Promise((next) => setTimeout(next, 4));
      depths.push(finish.length);
      for (const done of finish) done();
      finish = [];
    }
    await Promise.all(sent.map(({ answer }) => answer));
    expect(depths[0]).toBe(2);
    expect(Math.max(...depths)).toBeGreaterThan(12);
    expect(Math.max(...depths)).toBeLessThanOrEqual(32);
  });

  it("answers in the order of the requests where the config wants that", async () => {
    for (const isOrdered of [true, false]) {
      // The first unit is slow, so that the second one's answers are there first.
      const slow = new Doubler(new DeviceLane("slow", 9), 1, () => 30);
      const quick = new Doubler(new DeviceLane("quick", 9), 1, () => 1);
      const batching = { preserve_ordering: isOrdered };
      const { send, recorder, pool } = setUp({ batching, executors: [slow, quick] });
      const order: number[] = [];
      const sent = Array.from({ length: 12 }, (_, i) => send([i]));
      sent.forEach(({ answer }, i) => void answer.then(() => order.push(i)).catch(() => {}));
      sent[4].request.cancel();
      await Promise.allSettled(sent.map(({ answer }) => answer));
      const expected = sent.map((_, i) => i).filter((i) => i !== 4);
      if (isOrdered) expect(order).toEqual(expected);
      else expect(order).not.toEqual(expected);
      expect(recorder.statistics().inference_stats.success.count).toBe(11);
      expect(pool.bytesInFlight).toBe(0);
    }
  });

  it("shares a device among models by time, whatever their queues", async () => {
    const lane = new DeviceLane("d", 1);
    const order: string[] = [];
    const unit = (name: string) => {
      const doubler = new Doubler(lane, 1, () => {
        order.push(name);
        return 1;
      });
      return doubler;
    };
    const [busy, quiet] = [setUp({ executors: [unit("a")] }), setUp({ executors: [unit("b")] })];
    // The first runs take longer, and what they took is charged.
    for (let i = 0; i < 20; i++) {
      await busy.send([i]).answer;
      await quiet.send([i]).answer;
    }
    order.length = 0;
    const many = Array.from({ length: 40 }, (_, i) => busy.send([i]).answer);
    const few = Array.from({ length: 5 }, (_, i) => quiet.send([i]).answer);
    await Promise.all(few);
    const { length } = order;
    expect(length).toBeLessThanOrEqual(13);
    await Promise.all(many);
    expect(order.filter((name) => name === "b")).toHaveLength(5);
  });

  it("gives each request its own rows or an error, whatever happens, and loses no count", async () => {
    const event = fc.record({
      rows: fc.integer({ min: 1, max: 12 }),
      priority: fc.integer({ min: 0, max: 4 }),
      timeoutUs: fc.constantFrom(0, 0, 0, 1, 2000),
      deadline: fc.constantFrom(undefined, undefined, undefined, 0.5, 3),
      cancelAfter: fc.constantFrom(undefined, undefined, undefined, 0, 1, 3),
      pause: fc.integer({ min: 0, max: 2 }),
    });
    const scenario = fc.record({
      events: fc.array(event, { minLength: 1, maxLength: 25 }),
      maxRows: fc.integer({ min: 1, max: 10 }),
      units: fc.integer({ min: 1, max: 3 }),
      laneRuns: fc.integer({ min: 1, max: 4 }),
      isOneLane: fc.boolean(),
      delayUs: fc.constantFrom(0, 0, 300, 2000),
      preferred: fc.array(fc.integer({ min: 1, max: 10 }), { maxLength: 2 }),
      isBatching: fc.boolean(),
      action: fc.constantFrom("REJECT", "DELAY"),
      maxRequests: fc.constantFrom(4, 100),
      failEvery: fc.constantFrom(0, 0, 5),
      seed: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 8, maxLength: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async (s) => {
        let runs = 0;
        const lanes = Array.from({ length: s.units }, (_, i) => new DeviceLane(`${i}`, s.laneRuns));
        const executors = lanes.map(
          (lane) =>
            new Doubler(
              s.isOneLane ? lanes[0] : lane,
              s.maxRows,
              () => s.seed[runs++ % s.seed.length],
              () => s.failEvery > 0 && runs % s.failEvery === 0,
            ),
        );
        const batching = {
          preferred_batch_size: s.preferred,
          max_queue_delay_microseconds: s.delayUs,
          priority_levels: 3,
          default_queue_policy: { timeout_action: s.action, allow_timeout_override: true },
        } as const;
        const { pool, recorder, scheduler, send } = setUp({
          executors,
          batching: s.isBatching ? batching : undefined,
          maxRequests: s.maxRequests,
        });
        let next = 0;
        const expected: number[][] = [];
        const answers: Promise<number[]>[] = [];
        const cancels: Promise<void>[] = [];
        for (const { rows, priority, timeoutUs, deadline, cancelAfter, pause } of s.events) {
          const values = Array.from({ length: rows }, () => next++);
          const parameters = new Map([
            ["priority", priority],
            ["timeout", timeoutUs],
          ]);
          const at = deadline === undefined ? undefined : performance.now() + deadline;
          const { request, answer } = send(values, parameters, at);
          expected.push(values.map((x) => 2 * x + 1));
          answers.push(answer);
          if (cancelAfter !== undefined)
            cancels.push(turns(cancelAfter).then(() => request.cancel()));
          await turns(pause);
        }
        const results = await Promise.allSettled(answers);
        await Promise.all(cancels);
        await scheduler.retire();
        const rowsOfSuccess = results.reduce((sum, result, i) => {
          if (result.status === "fulfilled") {
            expect(result.value).toEqual(expected[i]);
            return sum + result.value.length;
          }
          expect(result.reason).toBeInstanceOf(ServeError);
          expect(["CANCELLED", "UNAVAILABLE", "INTERNAL"]).toContain(result.reason.status);
          return sum;
        }, 0);
        const statistics = recorder.statistics();
        const { success, fail, queue, compute_input, compute_infer, compute_output } =
          statistics.inference_stats;
        const answered = results.filter(({ status }) => status === "fulfilled").length;
        for (const { count } of [success, queue, compute_input, compute_infer, compute_output]) {
          expect(count).toBe(answered);
        }
        expect(statistics.inference_count).toBe(rowsOfSuccess);
        const { failures } = recorder.metrics(0, 0);
        expect(fail.count).toBe(failures.REJECTED + failures.BACKEND);
        expect(answered + fail.count + failures.CANCELED + failures.OTHER).toBe(s.events.length);
        expect(scheduler.pendingRequests).toBe(0);
        expect(scheduler.pendingBytes).toBe(0);
        expect(pool.bytesInFlight).toBe(0);
        expect(executors.every(({ isClosed }) => isClosed)).toBe(true);
        const inBatches = statistics.batch_stats.reduce(
          (sum, { compute_infer: { count } }) => sum + count,
          0,
        );
        expect(inBatches).toBe(statistics.execution_count);
      }),
      { numRuns: 200 },
    );
  });
});
