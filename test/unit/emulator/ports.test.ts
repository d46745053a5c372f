import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packetBytes } from "../../../src/artifact/manifest.ts";
import { Random } from "../../../src/base/index.ts";
import { type Format, limit, maxCode, minCode } from "../../../src/fixed/index.ts";
import { webAssembly } from "../../../src/runtime/devices/emulator-webassembly.ts";
import { expectExact, seeds } from "./arbitraries.ts";
import { Network } from "./networks.ts";
import { decodePacket, Instance } from "./run.ts";

const formats = fc
  .record({ signed: fc.boolean(), width: fc.integer({ min: 1, max: 64 }), frac: fc.constant(0) })
  .map((format): Format => ({ ...format, width: Math.min(format.width, format.signed ? 64 : 63) }));

describe("packets", () => {
  it("travel through containers of every size and sign", () => {
    for (const signed of [false, true]) {
      for (const width of [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64]) {
        if (!signed && width > 63) continue;
        const network = new Network();
        const x = network.input(3, { signed, width, frac: 0 });
        network.output(x);
        expectExact(network, [x], 21, width);
      }
    }
  });

  it("hold several tensors without gaps", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(formats, fc.integer({ min: 1, max: 5 })), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.integer({ min: 1, max: 40 }),
        seeds,
        (list, count, seed) => {
          const network = new Network();
          const inputs = list.map(([format, size]) => network.input(size, format));
          // In another order, the first twice.
          for (const input of [...inputs].reverse()) network.output(input);
          network.output(inputs[0]);
          expectExact(network, inputs, count, seed);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("give codes whatever their bytes are: bits above the width are dropped", () => {
    fc.assert(
      fc.property(formats, seeds, (format, seed) => {
        const network = new Network();
        network.output(network.input(2, format));
        const { inputs, outputs } = network.ports;
        const random = new Random(seed);
        const packets = Uint8Array.from({ length: 5 * packetBytes(inputs) }, () =>
          random.below(256),
        );
        const result = new Instance(network.emit()).run(packets, 5, packetBytes(outputs));
        for (let s = 0; s < 5; s++) {
          const at = s * packetBytes(inputs);
          const raw = decodePacket(inputs, packets, at);
          expect(decodePacket(outputs, result, at)).toEqual(
            raw.map((code) => limit(code, format, "WRAP")),
          );
        }
      }),
    );
  });

  it("are unaffected by the samples beside them", () => {
    const network = new Network();
    network.output(network.input(1, { signed: true, width: 8, frac: 0 }));
    const instance = new Instance(network.emit());
    instance.run(new Uint8Array(instance.batch).fill(77), instance.batch, 1);
    for (let count = 1; count < 40; count++) {
      const packets = Uint8Array.from({ length: count }, (_, i) => i);
      expect(instance.run(packets, count, 1)).toEqual(packets);
    }
  });
});

describe("the module", () => {
  const network = new Network();
  const x = network.input(2, { signed: true, width: 8, frac: 0 });
  const constant = network.constant([5, -3]);
  network.output(x);
  network.output(constant);
  const binary = network.emit();

  it("imports nothing and exports memory, run and three numbers", () => {
    const module = new webAssembly.Module(binary);
    expect(webAssembly.Module.imports(module)).toEqual([]);
    expect(webAssembly.Module.exports(module).map(({ name, kind }) => `${kind} ${name}`)).toEqual([
      "function run",
      "memory memory",
      "global input",
      "global output",
      "global batch",
    ]);
  });

  it("gives constants that are outputs", () => {
    expectExact(network, [x], 18, 1);
  });

  it("runs a whole batch, and nothing for a count of zero", () => {
    const instance = new Instance(binary);
    expect(instance.batch).toBeGreaterThanOrEqual(1024);
    const packets = Uint8Array.from({ length: 2 * instance.batch }, (_, i) => i % 251);
    const outputs = instance.run(packets, instance.batch, 4);
    for (const s of [0, 1, instance.batch - 1]) {
      expect([...outputs.slice(4 * s, 4 * s + 4)]).toEqual([
        packets[2 * s],
        packets[2 * s + 1],
        5,
        253,
      ]);
    }
    instance.run(new Uint8Array(2).fill(9), 0, 4);
  });

  it("is the same bytes every time", () => {
    expect(network.emit()).toEqual(binary);
  });

  it("keeps codes of a narrower interval within it", () => {
    const narrow = new Network();
    const format: Format = { signed: true, width: 8, frac: 0 };
    const { ranges } = narrow.constant([-3, 4]);
    const input = narrow.input(2, format, ranges);
    const least = Number(ranges.hull()[0]);
    const table = Float64Array.from({ length: 8 }, (_, i) => 100 + i);
    narrow.output(narrow.apply({ kind: "table", lo: least, values: table }, [input], 2));
    const packets = Uint8Array.of(-128, 127, -3, 4);
    const result = new Instance(narrow.emit()).run(packets, 2, 2);
    expect([...result]).toEqual([100, 107, 100, 107]);
    expect(minCode(format) < ranges.hull()[0] && maxCode(format) > ranges.hull()[1]).toBe(true);
  });
});
