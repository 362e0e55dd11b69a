/** Buffers that a loop walks through: four elements a vector, `width` vectors a turn. */
import { storageBytes, type StorageType } from "../program.ts";
import type { Code, Local } from "./assembler.ts";

/** What a stream's position is counted by; `start` streams begin at their base in every pass. */
export type Origin = "element" | "column" | "block" | "gathered" | "start";

/** Where a pass begins, in elements. */
export type Position = Readonly<Partial<Record<Exclude<Origin, "start">, Local>>>;

export interface Stream {
  readonly bytes: number;
  readonly signed: boolean;
  readonly origin: Origin;
  /** Address of element 0. */
  readonly base: Local;
  readonly pointer: Local;
}

/** The streams of one function by name: `input:x`, `output:y`, `product`. */
export class Streams {
  private readonly code: Code;
  private readonly byName = new Map<string, Stream>();

  constructor(code: Code) {
    this.code = code;
  }

  /** Declares a stream whose element 0 lies at the address in `base`. */
  open(name: string, storage: StorageType, origin: Origin, base: Local): void {
    const pointer = this.code.local("i32");
    const signed = storage === "i8";
    this.byName.set(name, { bytes: storageBytes[storage], signed, origin, base, pointer });
  }

  /** @throws RangeError for a stream that was not opened. */
  get(name: string): Stream {
    const stream = this.byName.get(name);
    if (!stream)
      throw new RangeError(`logrung: the kernel shape gives no place to ${name.replace(":", " ")}`);
    return stream;
  }

  /** Points the streams at a position. */
  seek(streams: Iterable<Stream>, position: Position): void {
    for (const stream of streams) {
      this.code.get(stream.base);
      const from = stream.origin === "start" ? undefined : position[stream.origin];
      if (from) {
        this.code.get(from);
        if (stream.bytes > 1) this.code.i32(Math.log2(stream.bytes)).op("i32.shl");
        this.code.op("i32.add");
      }
      this.code.set(stream.pointer);
    }
  }

  /** Moves the streams on by a number of elements. */
  advance(streams: Iterable<Stream>, elements: number): void {
    for (const { pointer, bytes } of streams)
      this.code.get(pointer).i32(elements * bytes).op("i32.add").set(pointer); // prettier-ignore
  }
}

/** Loads of one turn of a loop: a load of eight narrow elements serves two vectors. */
export class Loads {
  private readonly code: Code;
  private readonly eights = new Map<Stream, Map<number, Local>>();
  /** Sixteen bytes, the middle fours in each other's place. */
  private readonly turned = new Map<Stream, Local>();

  constructor(code: Code) {
    this.code = code;
  }

  /** Pushes vector `u` of a stream, each element widened to 32 bits. */
  push(stream: Stream, u: number): void {
    const { code } = this;
    const sign = stream.signed ? "s" : "u";
    if (stream.bytes === 4) code.get(stream.pointer).memory("v128.load", 16 * u);
    else if (stream.bytes === 2) code.get(stream.pointer).memory("v128.load16x4_u", 8 * u);
    else {
      code.get(this.eight(stream, u >> 1));
      code.op(u % 2 === 0 ? `i32x4.extend_low_i16x8_${sign}` : `i32x4.extend_high_i16x8_${sign}`);
    }
  }

  /** Pushes eight bytes of a turn of sixteen in 16 bits each: those of vectors `half` and `half + 2`. */
  pushHalf(stream: Stream, half: 0 | 1): void {
    let local = this.turned.get(stream);
    if (!local) {
      this.turned.set(stream, (local = this.code.local("v128")));
      this.code.get(stream.pointer).memory("v128.load").tee(local).get(local).shuffle32(0, 2, 1, 3).set(local); // prettier-ignore
    }
    this.code.get(local).op(half === 0 ? "i16x8.extend_low_i8x16_u" : "i16x8.extend_high_i8x16_u");
  }

  /** Pushes one element of a turn as an i32. */
  pushElement({ pointer, bytes, signed }: Stream, element: number): void {
    const load =
      bytes === 4 ? "i32.load" : bytes === 2 ? "i32.load16_u" : signed ? "i32.load8_s" : "i32.load8_u";
    this.code.get(pointer).memory(load, bytes * element);
  }

  /** The locals that hold loads shared by two vectors. */
  locals(): Local[] {
    return [...[...this.eights.values()].flatMap((halves) => [...halves.values()]), ...this.turned.values()];
  }

  private eight(stream: Stream, half: number): Local {
    let halves = this.eights.get(stream);
    if (!halves) this.eights.set(stream, (halves = new Map()));
    let local = halves.get(half);
    if (!local) {
      halves.set(half, (local = this.code.local("v128")));
      const load = stream.signed ? "v128.load8x8_s" : "v128.load8x8_u";
      this.code
        .get(stream.pointer)
        .memory(load, 8 * half)
        .set(local);
    }
    return local;
  }
}

/**
 * Stores the vectors of a turn; narrow elements must fit their storage. The highest address comes first: when V8 fuses
 * two stores to one of 256 bits, it repeats the lower half unless that half was to be stored last.
 */
export function storeVectors(code: Code, { pointer, bytes }: Stream, vectors: readonly Local[]): void {
  if (bytes === 4) {
    for (let u = vectors.length - 1; u >= 0; u--)
      code
        .get(pointer)
        .get(vectors[u])
        .memory("v128.store", 16 * u);
    return;
  }
  const lanes = 16 / bytes;
  for (let first = 0; first < vectors.length; first += lanes / 4) {
    const part = vectors.slice(first, first + lanes / 4);
    code.get(pointer);
    pushNarrow(code, bytes, part);
    const size = 4 * part.length * bytes;
    if (size === 16) code.memory("v128.store", 4 * first * bytes);
    else if (size === 8) code.memoryLane("v128.store64_lane", 0, 4 * first * bytes);
    else code.memoryLane("v128.store32_lane", 0, 4 * first * bytes);
  }
}

/** Stores sixteen bytes from vectors 0 and 2, and 1 and 3, of a turn, in 16 bits each. */
export function storeHalves(code: Code, { pointer }: Stream, low: Local, high: Local): void {
  const narrow = code.local("v128");
  code.get(pointer).get(low).get(high).op("i8x16.narrow_i16x8_u");
  code.tee(narrow).get(narrow).shuffle32(0, 2, 1, 3).memory("v128.store"); // prettier-ignore
}

/**
 * Pushes the low 8 or 16 bits of up to 16 or 8 lanes, side by side. Of four vectors the middle ones change places
 * twice: V8 fuses the halves of the last narrowing, which so are vectors that lie side by side in memory.
 */
function pushNarrow(code: Code, bytes: number, vectors: readonly Local[]): void {
  const pair = (a: Local, b: Local) => code.get(a).get(b).op("i16x8.narrow_i32x4_u");
  const [a, b = a, c, d] = vectors;
  const narrow = code.local("v128");
  if (bytes === 2 || !c || !d) {
    pair(a, b);
    if (bytes === 1) code.tee(narrow).get(narrow).op("i8x16.narrow_i16x8_u");
    return;
  }
  pair(a, c);
  pair(b, d);
  code.op("i8x16.narrow_i16x8_u").tee(narrow).get(narrow).shuffle32(0, 2, 1, 3);
}

const LANE_STORE = { 1: "v128.store8_lane", 2: "v128.store16_lane", 4: "v128.store32_lane" } as const;

/** Stores one lane at an offset of elements from the pointer. */
export function storeLane(code: Code, { pointer, bytes }: Stream, vector: Local, lane: number): void {
  const name = LANE_STORE[bytes as 1 | 2 | 4];
  code
    .get(pointer)
    .get(vector)
    .memoryLane(name, (lane * 4) / bytes, lane * bytes);
}
