import { ByteWriter } from "./byte-writer.ts";
import { FunctionBuilder, typeCode } from "./function-builder.ts";

/** Bytes of one page of linear memory. */
export const pageBytes = 65536;

const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const section = {
  type: 1,
  function: 3,
  memory: 5,
  global: 6,
  export: 7,
  code: 10,
  data: 11,
} as const;
const exportKind = { function: 0, memory: 2, global: 3 } as const;

/**
 * A WebAssembly module without imports: functions that return nothing, one memory of fixed size,
 * constant globals and one block of initial data.
 *
 * @see https://webassembly.github.io/spec/core/binary/modules.html
 */
export class ModuleBuilder {
  readonly #functions: { paramCount: number; body: ByteWriter }[] = [];
  readonly #exports = new ByteWriter();
  readonly #globals = new ByteWriter();
  #exportCount = 0;
  #globalCount = 0;

  /** Defines a function of some i32 parameters and gives its index. */
  addFunction(paramCount: number, write: (f: FunctionBuilder) => void): number {
    const builder = new FunctionBuilder(paramCount);
    write(builder);
    return this.#functions.push({ paramCount, body: builder.finish() }) - 1;
  }

  exportFunction(name: string, index: number): void {
    this.#export(name, exportKind.function, index);
  }

  exportMemory(name: string): void {
    this.#export(name, exportKind.memory, 0);
  }

  /** An immutable i32 that the host can read. */
  exportConstant(name: string, value: number): void {
    this.#globals.byte(typeCode("i32"), 0, 0x41).s32(value).byte(0x0b);
    this.#export(name, exportKind.global, this.#globalCount++);
  }

  #export(name: string, kind: number, index: number): void {
    this.#exports.text(name).byte(kind).u32(index);
    this.#exportCount++;
  }

  /** The binary, with a memory of `memoryBytes` and `data` at `dataAddress`. */
  finish(memoryBytes: number, data: Uint8Array, dataAddress: number): Uint8Array {
    const out = new ByteWriter().byte(...header);
    const add = (id: number, content: ByteWriter): void => void out.byte(id).sized(content);

    const arities = [...new Set(this.#functions.map((f) => f.paramCount))];
    const types = new ByteWriter().u32(arities.length);
    for (const arity of arities) {
      types.byte(0x60).u32(arity);
      for (let i = 0; i < arity; i++) types.byte(typeCode("i32"));
      types.u32(0);
    }
    add(section.type, types);

    const functions = new ByteWriter().u32(this.#functions.length);
    for (const { paramCount } of this.#functions) functions.u32(arities.indexOf(paramCount));
    add(section.function, functions);

    const pages = Math.ceil(memoryBytes / pageBytes);
    add(section.memory, new ByteWriter().u32(1).byte(1).u32(pages).u32(pages));
    add(section.global, new ByteWriter().u32(this.#globalCount).bytes(this.#globals.view()));
    add(section.export, new ByteWriter().u32(this.#exportCount).bytes(this.#exports.view()));

    const code = new ByteWriter().u32(this.#functions.length);
    for (const { body } of this.#functions) code.sized(body);
    add(section.code, code);

    const segment = new ByteWriter().u32(1).byte(0, 0x41).s32(dataAddress).byte(0x0b);
    add(section.data, segment.u32(data.length).bytes(data));
    return out.view().slice();
  }
}
