/**
 * A small assembler: WebAssembly modules written from TypeScript, instruction by instruction.
 *
 * A {@link Module} imports one memory, holds functions and exports some of them. A {@link Code} is the body of a
 * function: calls append instructions in stack order, and control flow nests as closures do.
 */
import { laneOps, memoryLaneOps, memoryOps, plainOps, simdOps } from "./opcodes.ts";
import type { LaneOp, MemoryLaneOp, MemoryOp, PlainOp } from "./opcodes.ts";

export type WasmType = "i32" | "i64" | "f32" | "v128";
const TYPE_CODES: Readonly<Record<WasmType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, v128: 0x7b };

/** Unsigned LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}

/** Signed LEB128 of a 32-bit integer. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

/** Signed LEB128 of a 64-bit integer. */
function signed64(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

/** A local variable or parameter of one function. */
export interface Local {
  readonly index: number;
  readonly type: WasmType;
}

/** What `call` needs of a function: a defined one or an import. */
export interface Callee {
  readonly index: number;
}

/** A function's body. Every method appends one instruction and returns this. */
export class Code {
  readonly bytes: number[] = [];
  readonly parameters: readonly Local[];
  readonly locals: Local[] = [];

  constructor(parameters: readonly WasmType[]) {
    this.parameters = parameters.map((type, index) => ({ index, type }));
  }

  /** Declares a local variable, zero at entry. */
  local(type: WasmType): Local {
    const local = { index: this.parameters.length + this.locals.length, type };
    this.locals.push(local);
    return local;
  }
  get(local: Local): this { return this.raw(0x20, ...unsigned(local.index)); }
  set(local: Local): this { return this.raw(0x21, ...unsigned(local.index)); }
  tee(local: Local): this { return this.raw(0x22, ...unsigned(local.index)); }
  i32(value: number): this { return this.raw(0x41, ...signed(value)); }
  /** A 64-bit constant from a safe integer. */
  i64(value: number): this { return this.raw(0x42, ...signed64(BigInt(value))); }
  f32(value: number): this { return this.raw(0x43, ...new Uint8Array(new Float32Array([value]).buffer)); }
  /** A 128-bit constant from four 32-bit words. V8 rebuilds it at each use: keep hot ones in a local. */
  v128(words: readonly [number, number, number, number]): this {
    return this.raw(0xfd, 0x0c, ...new Uint8Array(new Int32Array(words).buffer));
  }
  op(name: PlainOp): this {
    const plain = plainOps[name];
    return plain === undefined ? this.raw(0xfd, ...unsigned(simdOps[name])) : this.raw(plain);
  }
  lane(name: LaneOp, lane: number): this { return this.raw(0xfd, ...unsigned(laneOps[name]), lane); }
  /** `i8x16.shuffle`: byte i of the result is byte `lanes[i]` of the 32 bytes of both operands. */
  shuffle(lanes: readonly number[]): this { return this.raw(0xfd, 0x0d, ...lanes); }
  /** Shuffle of four 32-bit lanes out of eight. */
  shuffle32(a: number, b: number, c: number, d: number): this {
    return this.shuffle([a, b, c, d].flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte)));
  }
  memory(name: MemoryOp, offset = 0): this {
    const [prefix, opcode, align] = memoryOps[name];
    const head = prefix === 0 ? [opcode] : [prefix, ...unsigned(opcode)];
    return this.raw(...head, align, ...unsigned(offset));
  }
  memoryLane(name: MemoryLaneOp, lane: number, offset = 0): this {
    const [opcode, align] = memoryLaneOps[name];
    return this.raw(0xfd, ...unsigned(opcode), align, ...unsigned(offset), lane);
  }
  call(callee: Callee): this { return this.raw(0x10, ...unsigned(callee.index)); }
  /** Calls entry [top of stack] of the imported table, with a type of the module. */
  callIndirect(typeIndex: number): this { return this.raw(0x11, ...unsigned(typeIndex), 0); }
  block(body: () => void): this { return this.nest(0x02, 0x40, body); }
  loop(body: () => void): this { return this.nest(0x03, 0x40, body); }
  if(body: () => void, otherwise?: () => void): this {
    this.raw(0x04, 0x40);
    body();
    if (otherwise) {
      this.raw(0x05);
      otherwise();
    }
    return this.raw(0x0b);
  }
  /** Branches `depth` levels out: to the start of a loop, to the end of a block. */
  br(depth: number): this { return this.raw(0x0c, ...unsigned(depth)); }
  brIf(depth: number): this { return this.raw(0x0d, ...unsigned(depth)); }
  /** `while (condition) body`, the condition leaving an i32. */
  while(condition: () => void, body: () => void): this {
    return this.block(() =>
      this.loop(() => {
        condition();
        this.op("i32.eqz").brIf(1);
        body();
        this.br(0);
      }),
    );
  }
  /** `do body while (condition)`, the condition leaving an i32. */
  doWhile(body: () => void, condition: () => void): this {
    return this.loop(() => {
      body();
      condition();
      this.brIf(0);
    });
  }
  raw(...bytes: number[]): this {
    for (const byte of bytes) this.bytes.push(byte);
    return this;
  }
  private nest(opcode: number, type: number, body: () => void): this {
    this.raw(opcode, type);
    body();
    return this.raw(0x0b);
  }
} // prettier-ignore

/** Variables of a function by name: i32s, made when first asked for. */
export class NamedLocals {
  private readonly code: Code;
  private readonly names = new Map<string, Local>();
  constructor(code: Code) {
    this.code = code;
  }
  get(name: string): Local {
    const known = this.names.get(name);
    if (known) return known;
    const local = this.code.local("i32");
    this.names.set(name, local);
    return local;
  }
}

interface Definition extends Callee {
  readonly code: Code;
  readonly typeIndex: number;
  readonly exportName: string | null;
}

/** A function type's place in a module; also what `callIndirect` names. */
interface FunctionType {
  readonly parameters: readonly WasmType[];
  readonly results: readonly WasmType[];
}

export interface ModuleOptions {
  /** Upper limit of the imported shared memory, in 64 KiB pages; the host's memory has the same. */
  readonly maximumPages: number;
  /** False where there is no shared memory (a page without cross-origin isolation). */
  readonly shared: boolean;
  /** Imports `env.table` (a table of functions) for `callIndirect`. Default false. */
  readonly table?: boolean;
}

/** A module under construction. `env.memory` is its memory. */
export class Module {
  private readonly types: FunctionType[] = [];
  private readonly definitions: Definition[] = [];
  private readonly options: ModuleOptions;
  constructor(options: ModuleOptions) {
    this.options = options;
  }

  type(parameters: readonly WasmType[], results: readonly WasmType[] = []): number {
    const same = (a: readonly WasmType[], b: readonly WasmType[]) => a.join() === b.join();
    const found = this.types.findIndex((t) => same(t.parameters, parameters) && same(t.results, results));
    return found >= 0 ? found : this.types.push({ parameters, results }) - 1;
  }

  /** Defines a function; `write` appends its body. It is exported when it has a name. */
  function(
    parameters: readonly WasmType[],
    results: readonly WasmType[],
    exportName: string | null,
    write: (code: Code, ...parameters: Local[]) => void,
  ): Callee {
    const code = new Code(parameters);
    const definition = {
      index: this.definitions.length,
      code,
      typeIndex: this.type(parameters, results),
      exportName,
    };
    this.definitions.push(definition);
    write(code, ...code.parameters);
    return definition;
  }

  /** The module's bytes. */
  encode(): Uint8Array<ArrayBuffer> {
    const bytes = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
    const section = (id: number, items: readonly (readonly number[])[]) => {
      if (items.length === 0) return;
      const body = [...unsigned(items.length), ...items.flat()];
      bytes.push(id, ...unsigned(body.length));
      for (const byte of body) bytes.push(byte);
    };
    const codes = (list: readonly WasmType[]) => [...unsigned(list.length), ...list.map((t) => TYPE_CODES[t])];
    section(1, this.types.map((t) => [0x60, ...codes(t.parameters), ...codes(t.results)]));
    section(2, this.imports());
    section(3, this.definitions.map((d) => unsigned(d.typeIndex)));
    section(7, this.exports());
    section(10, this.definitions.map((d) => functionBody(d.code)));
    return new Uint8Array(bytes);
  } // prettier-ignore

  private imports(): number[][] {
    const { maximumPages, shared, table } = this.options;
    const limits = shared ? [0x03, 0, ...unsigned(maximumPages)] : [0x01, 0, ...unsigned(maximumPages)];
    const list = [[...text("env"), ...text("memory"), 0x02, ...limits]];
    if (table) list.push([...text("env"), ...text("table"), 0x01, 0x70, 0x00, 0]);
    return list;
  }

  private exports(): number[][] {
    const named = this.definitions.filter((d) => d.exportName !== null);
    return named.map((d) => [...text(d.exportName ?? ""), 0x00, ...unsigned(d.index)]);
  }
}

function text(name: string): number[] {
  const bytes = new TextEncoder().encode(name);
  return [...unsigned(bytes.length), ...bytes];
}

function functionBody(code: Code): number[] {
  const locals = code.locals.map((local) => [1, TYPE_CODES[local.type]]).flat();
  const body = [...unsigned(code.locals.length), ...locals, ...code.bytes, 0x0b];
  return [...unsigned(body.length), ...body];
}
