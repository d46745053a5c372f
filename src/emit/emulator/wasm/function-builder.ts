import { assert } from "../../../base/index.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type Expr, type I32, i32, type Type, type V128 } from "./instructions.ts";

/** A local variable; used as an expression it is its value. */
export interface Local<T extends Type = Type> extends Expr<T> {
  readonly index: number;
}

const typeCodes: Record<Type, number> = { i32: 0x7f, i64: 0x7e, v128: 0x7b };

export function typeCode(type: Type): number {
  return typeCodes[type];
}

const opcode = { loop: 0x03, if: 0x04, end: 0x0b, brIf: 0x0d, call: 0x10, set: 0x21, get: 0x20 };
const noResult = 0x40;

/** The body of one function, written statement by statement. All functions return nothing. */
export class FunctionBuilder {
  readonly params: readonly Local<"i32">[];
  readonly #code = new ByteWriter();
  readonly #locals: Type[] = [];
  /** Locals that a finished scope has given back. */
  readonly #free: Record<Type, number[]> = { i32: [], i64: [], v128: [] };
  #taken: Local[] = [];

  constructor(paramCount: number) {
    this.params = Array.from({ length: paramCount }, (_, index) => makeLocal("i32", index));
  }

  /** A variable of unknown content; it lives until the scope around it ends. */
  local<T extends Type>(type: T): Local<T> {
    const index = this.#free[type].pop() ?? this.params.length + this.#locals.push(type) - 1;
    const local = makeLocal(type, index);
    this.#taken.push(local);
    return local;
  }

  set<T extends Type>(local: Local<T>, value: Expr<T>): void {
    value.write(this.#code);
    this.#code.byte(opcode.set).u32(local.index);
  }

  /** Computes a value once, for several uses. */
  bind<T extends Type>(value: Expr<T>): Local<T> {
    const local = this.local(value.type);
    this.set(local, value);
    return local;
  }

  /** Adds a constant to a pointer or counter. */
  advance(local: Local<"i32">, by: number): void {
    if (by !== 0) this.set(local, i32.add(local, i32.const(by)));
  }

  /** Variables made inside may be reused afterwards. */
  scope(body: () => void): void {
    const outer = this.#taken;
    this.#taken = [];
    body();
    for (const local of this.#taken) this.#free[local.type].push(local.index);
    this.#taken = outer;
  }

  storeVector(address: I32, offset: number, value: V128): void {
    address.write(this.#code);
    value.write(this.#code);
    this.#code.byte(0xfd).u32(11).byte(0).u32(offset);
  }

  /** Stores one lane of a vector: the low end of what a whole code would be. */
  storeLane(bits: 8 | 16 | 32 | 64, address: I32, offset: number, value: V128, lane: number): void {
    address.write(this.#code);
    value.write(this.#code);
    this.#code
      .byte(0xfd)
      .u32({ 8: 88, 16: 89, 32: 90, 64: 91 }[bits])
      .byte(0)
      .u32(offset)
      .byte(lane);
  }

  /** Runs the body a fixed number of times; no loop is written for none or one. */
  repeat(count: number, body: () => void): void {
    if (count <= 0) return;
    if (count === 1) {
      this.scope(body);
      return;
    }
    this.scope(() => {
      const left = this.bind(i32.const(count));
      this.doWhile(() => {
        this.scope(body);
        this.advance(left, -1);
        return left;
      });
    });
  }

  /** Runs the body, and again while the condition that it returns is not zero. */
  doWhile(body: () => I32): void {
    this.#code.byte(opcode.loop, noResult);
    body().write(this.#code);
    this.#code.byte(opcode.brIf, 0, opcode.end);
  }

  ifThen(condition: I32, then: () => void, otherwise?: () => void): void {
    condition.write(this.#code);
    this.#code.byte(opcode.if, noResult);
    then();
    if (otherwise !== undefined) {
      this.#code.byte(0x05);
      otherwise();
    }
    this.#code.byte(opcode.end);
  }

  call(callee: number, ...args: readonly I32[]): void {
    for (const arg of args) arg.write(this.#code);
    this.#code.byte(opcode.call).u32(callee);
  }

  /** Declarations of locals, instructions and the final `end`. */
  finish(): ByteWriter {
    assert(this.#code.length < 2 ** 23, "a function of the emulator grew beyond 8 MB");
    const runs: { type: Type; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const body = new ByteWriter().u32(runs.length);
    for (const { type, count } of runs) body.u32(count).byte(typeCode(type));
    return body.bytes(this.#code.view()).byte(opcode.end);
  }
}

function makeLocal<T extends Type>(type: T, index: number): Local<T> {
  return { type, index, write: (out) => void out.byte(opcode.get).u32(index) };
}
