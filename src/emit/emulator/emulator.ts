import { type PortTensor, packetBytes } from "../../artifact/index.ts";
import { assert, fail, unreachable } from "../../base/index.ts";
import {
  type Graph,
  getValue,
  inputsOf,
  quantOf,
  type Registry,
  type Value,
} from "../../ir/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import type { StepCode, StepContext } from "./context.ts";
import { DataPool } from "./data-pool.ts";
import { planElementwise, planSpread } from "./elementwise.ts";
import { placeBuffers, type Stored } from "./layout.ts";
import { type ProductMethod, planMatmul } from "./matmul.ts";
import { type MemoryPlan, planMemory } from "./memory-plan.ts";
import { packTensor, unpackTensor } from "./ports.ts";
import { readProgram, type Step } from "./program.ts";
import { planReduce } from "./reduce.ts";
import { samplesPerVec } from "./vec.ts";
import { type I32, i32, ModuleBuilder, pageBytes } from "./wasm/index.ts";

/** Nothing stands at address zero; the first cache line stays free. */
const firstAddress = 64;
/** WebAssembly has 32-bit addresses. */
const mostPages = 65536;

/**
 * A self-contained WebAssembly module (with SIMD, without imports) that computes a quantized graph, bit
 * for bit, for many samples at a time.
 *
 * Exports: `memory`; the addresses `input` and `output`; `batch`, the greatest number of samples of one
 * call; `run(count)`. The host writes `count` packets at `input`, calls `run`, and reads `count` packets
 * at `output`, in the layout of the given tensors.
 *
 * @throws N2F_DESIGN_SIZE where the network needs more than the 4 GB that such a module can address
 */
export function emitEmulator(
  graph: Graph,
  ops: Registry,
  inputs: readonly PortTensor[],
  outputs: readonly PortTensor[],
): Uint8Array {
  const program = readProgram(graph, ops);
  const inputValues = inputsOf(graph);
  const outputIds = graph.outputs.map((output) => output.value);
  const memory = planMemory(program, inputValues, outputIds);
  checkPorts(inputs, inputValues);
  checkPorts(
    outputs,
    outputIds.map((id) => getValue(graph, id)),
  );

  const packets = { input: packetBytes(inputs), output: packetBytes(outputs) };
  const { stride, end } = chooseStride(memory);
  const batch = chooseBatch(packets.input + packets.output, stride);
  const input = end;
  const output = align(input + batch * packets.input);
  const pool = new DataPool(align(output + batch * packets.output));

  const codes = program.steps.map((step) => {
    const scratch = memory.scratch.get(step);
    const context: StepContext = {
      pool,
      stride,
      constants: program.constants,
      stored: (id) => memory.stored.get(id) as Stored,
      ...(scratch && { scratch }),
    };
    return planStep(context, step, memory.methods.get(step));
  });

  const ports = {
    inputs: inputs.flatMap((tensor, i) => {
      const value = memory.stored.get(inputValues[i].id);
      return value === undefined ? [] : [{ tensor, value }];
    }),
    outputs: outputs.map((tensor, i) => ({
      tensor,
      value: memory.stored.get(outputIds[i]) as Stored,
    })),
  };
  const module = new ModuleBuilder();
  const block = (vectors: number): number => {
    const steps = codes.map((code) => module.addFunction(0, (f) => code(f, vectors)));
    return module.addFunction(2, (f) => {
      const [from, to] = f.params;
      for (const { tensor, value } of ports.inputs) {
        unpackTensor(f, from, packets.input, tensor, value, stride, vectors);
      }
      for (const step of steps) f.call(step);
      for (const { tensor, value } of ports.outputs) {
        packTensor(f, to, packets.output, tensor, value, stride, vectors);
      }
    });
  };
  const run = addRun(module, block, stride, { input, output }, packets);
  module.exportFunction("run", run);
  module.exportMemory("memory");
  module.exportConstant("input", input);
  module.exportConstant("output", output);
  module.exportConstant("batch", batch);
  const memoryBytes = pool.address + pool.sizeBytes;
  if (Math.ceil(memoryBytes / pageBytes) > mostPages) {
    fail(
      "N2F_DESIGN_SIZE",
      `the emulator would need ${memoryBytes} bytes of memory; 4 GB are possible`,
      { at: graph.name, hint: "Use a smaller network, or lower the precision of its weights." },
    );
  }
  return module.finish(memoryBytes, pool.view(), pool.address);
}

function planStep(context: StepContext, step: Step, method: ProductMethod | undefined): StepCode {
  switch (step.kind) {
    case "alias":
      return () => {};
    case "spread":
      return planSpread(context, step.id);
    case "group": {
      const { root, product } = step;
      if (product !== undefined && method !== undefined) {
        return planMatmul(context, step, product, method);
      }
      if (root.kernel.kind === "reduce") return planReduce(context, step, root.kernel);
      return planElementwise(context, step);
    }
    default:
      return unreachable(step);
  }
}

function checkPorts(tensors: readonly PortTensor[], values: readonly Value[]): void {
  assert(tensors.length === values.length, `${tensors.length} ports for ${values.length} values`);
  values.forEach((value, i) => {
    const { name, format, sizeBytes, elementBytes } = tensors[i];
    const own = quantOf(value).format;
    assert(
      sizeBytes === sizeOf(value.shape) * elementBytes &&
        format.signed === own.signed &&
        format.width === own.width,
      `port ${name} does not describe value ${value.id}`,
    );
  });
}

/** Memory that a block of samples may take before it is made smaller: about what a core's cache holds. */
const blockBytes = 1 << 21;

/**
 * Samples of a block. More of them share each load of a weight and each turn of a loop; too many of them
 * leave the cache.
 */
function chooseStride(memory: MemoryPlan): { stride: number; end: number } {
  for (const stride of [16, 8]) {
    const end = placeBuffers(memory.buffers, firstAddress, stride);
    if (end <= blockBytes) return { stride, end };
  }
  return { stride: 4, end: placeBuffers(memory.buffers, firstAddress, 4) };
}

/** Memory for packets, and samples of one call; a call costs about as much as one small inference. */
const packetMemoryBytes = 1 << 19;
const mostSamples = 4096;

function chooseBatch(bytesPerSample: number, stride: number): number {
  let batch = stride;
  while (2 * batch <= mostSamples && 2 * batch * bytesPerSample <= packetMemoryBytes) batch *= 2;
  return batch;
}

function align(address: number): number {
  return Math.ceil(address / 64) * 64;
}

/**
 * run(count): block after block. Code for one vector of samples serves small counts; it works on the
 * same memory as that for whole blocks.
 */
function addRun(
  module: ModuleBuilder,
  block: (vectors: number) => number,
  stride: number,
  address: { readonly input: number; readonly output: number },
  packet: { readonly input: number; readonly output: number },
): number {
  const wide = block(stride / samplesPerVec);
  const narrow = stride === samplesPerVec ? wide : block(1);
  return module.addFunction(1, (f) => {
    const [left] = f.params;
    const from = f.bind(i32.const(address.input));
    const to = f.bind(i32.const(address.output));
    const step = (callee: number, samples: number) => (): void => {
      f.call(callee, from, to);
      f.advance(from, samples * packet.input);
      f.advance(to, samples * packet.output);
      f.advance(left, -samples);
    };
    const isMany = (): I32 => i32.gt(left, i32.const(stride / 2));
    const isMore = (): I32 => i32.gt(left, i32.const(0));
    f.ifThen(isMore(), () => {
      f.doWhile(() => {
        if (narrow === wide) step(wide, stride)();
        else f.ifThen(isMany(), step(wide, stride), step(narrow, samplesPerVec));
        return isMore();
      });
    });
  });
}
