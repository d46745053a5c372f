import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../../src/emit/emulator/wasm/byte-writer.ts";
import { i32, ModuleBuilder } from "../../../src/emit/emulator/wasm/index.ts";
import { webAssembly } from "../../../src/runtime/devices/emulator-webassembly.ts";

const bytes = (write: (out: ByteWriter) => void): number[] => {
  const out = new ByteWriter();
  write(out);
  return [...out.view()];
};

describe("ByteWriter", () => {
  it("writes unsigned LEB128", () => {
    expect(bytes((out) => out.u32(0))).toEqual([0]);
    expect(bytes((out) => out.u32(127))).toEqual([127]);
    expect(bytes((out) => out.u32(624485))).toEqual([0xe5, 0x8e, 0x26]);
    expect(bytes((out) => out.u32(2 ** 32 - 1))).toEqual([255, 255, 255, 255, 15]);
  });

  it("writes signed LEB128", () => {
    expect(bytes((out) => out.s32(-1))).toEqual([0x7f]);
    expect(bytes((out) => out.s32(64))).toEqual([0xc0, 0]);
    expect(bytes((out) => out.s64(-123456n))).toEqual([0xc0, 0xbb, 0x78]);
    expect(bytes((out) => out.s64(-(1n << 63n)))).toHaveLength(10);
  });

  it("grows", () => {
    const out = new ByteWriter();
    for (let i = 0; i < 10000; i++) out.byte(i & 255);
    expect(out.length).toBe(10000);
    expect(out.view()[9999]).toBe(9999 & 255);
  });
});

describe("ModuleBuilder", () => {
  it("makes modules with functions, constants, memory and data", () => {
    const module = new ModuleBuilder();
    const helper = module.addFunction(2, (f) => {
      const [address, count] = f.params;
      const sum = f.bind(i32.load(address, 0));
      f.ifThen(i32.gt(count, i32.const(0)), () => {
        f.doWhile(() => {
          f.advance(sum, 3);
          f.advance(count, -1);
          return count;
        });
      });
      f.repeat(4, () => f.advance(sum, 100));
      f.repeat(0, () => f.advance(sum, 10000));
      f.storeLane(32, address, 4, { ...vectorOf(sum) }, 0);
    });
    const caller = module.addFunction(1, (f) => f.call(helper, i32.const(70000), f.params[0]));
    module.exportFunction("main", caller);
    module.exportMemory("memory");
    module.exportConstant("far", 2 ** 31);
    const binary = module.finish(70008, Uint8Array.of(5, 0, 0, 0), 70000);
    const { memory, main, far } = new webAssembly.Instance(new webAssembly.Module(binary))
      .exports as {
      memory: { readonly buffer: ArrayBuffer };
      main(count: number): void;
      far: { value: number };
    };
    expect(memory.buffer.byteLength).toBe(2 * 65536);
    main(7);
    expect(new DataView(memory.buffer).getInt32(70004, true)).toBe(5 + 21 + 400);
    expect(far.value).toBe(-(2 ** 31));
  });
});

function vectorOf(x: ReturnType<typeof i32.const>) {
  return {
    type: "v128" as const,
    write: (out: ByteWriter) => {
      x.write(out);
      out.byte(0xfd).u32(17);
    },
  };
}
