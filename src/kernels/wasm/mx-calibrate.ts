/** Choosing the micro-kernel of integer blocks: each is tested once, then timed for a millisecond. */
import { Module } from "./assembler.ts";
import type { Engine } from "./engine.ts";
import { probeMemory, probePages, timed, type Probe, type Timed } from "./micro-timing.ts";
import {
  MX_VARIANTS,
  defineMxMicro,
  elementBytes,
  recordBytes,
  type MxMethod,
  type MxVariant,
} from "./mx-micro.ts";

/** A micro-kernel and its rate. */
export type MxCandidate = Timed<MxVariant>;

/** Blocks of a test product and their length, and places of its operands in the probe's memory. */
const BLOCKS = 8;
const BLOCK = 32;
const A = 1024;
const B = 8 * 1024;
const C = 40 * 1024;
/**
 * Tests and times micro-kernels, each once in a backend's life and only when a kernel that could use it is
 * compiled. All give the same bits, so the choice is one of speed alone.
 */
export class MxCalibration {
  private readonly engine: Engine;
  private readonly forced: string | undefined;
  private readonly known = new Map<MxMethod, readonly MxCandidate[]>();

  /** @param forced  the micro-kernel to take, by name, wherever it can compute a kernel; for tests. */
  constructor(engine: Engine, forced?: string) {
    const names = MX_VARIANTS.map(({ name }) => name);
    if (forced !== undefined && !names.includes(forced))
      throw new RangeError(`logrung: unknown mx micro-kernel "${forced}" (known: ${names.join(", ")})`);
    this.engine = engine;
    this.forced = forced;
  }

  /**
   * The fastest micro-kernel of these methods.
   *
   * @throws Error when none computes correctly, which no engine has been seen to do.
   */
  choose(methods: readonly MxMethod[]): MxCandidate {
    const candidates = methods.flatMap((method) => this.candidates(method));
    const wanted = candidates.find(({ variant }) => variant.name === this.forced);
    const [best] = wanted ? [wanted] : candidates.toSorted((x, y) => y.gflops - x.gflops);
    if (best) return best;
    if (!methods.includes("plain")) return this.choose(["plain"]);
    throw new Error("logrung: no mx-gemm kernel computes correctly on this engine");
  }

  private candidates(method: MxMethod): readonly MxCandidate[] {
    const known = this.known.get(method);
    if (known) return known;
    const memory = probeMemory(this.engine);
    const variants = MX_VARIANTS.filter((variant) => variant.method === method);
    const found = timed(variants, (variant) => probe(this.engine, memory, variant));
    this.known.set(method, found);
    return found;
  } // prettier-ignore
}

/** Null when it computes nonsense. */
function probe(engine: Engine, memory: WebAssembly.Memory, variant: MxVariant): Probe<MxVariant> | null {
  const module = new Module({ maximumPages: probePages(engine), shared: false });
  const callee = defineMxMicro(module, variant, BLOCK, "micro");
  const parameters = (accumulate: number) => [BLOCKS, A, B, C, variant.columns * 4, accumulate];
  module.function(["i32"], [], "repeat", (code, count) => {
    code.loop(() => {
      for (const parameter of parameters(0)) code.i32(parameter);
      code.call(callee).get(count).i32(1).op("i32.sub").tee(count).brIf(0);
    });
  });
  const { exports } = new WebAssembly.Instance(engine.compile(module.encode()), { env: { memory } });
  const { micro, repeat } = exports as Record<"micro" | "repeat", (...values: number[]) => void>;
  const expected = fill(memory, variant);
  micro(...parameters(0));
  micro(...parameters(1));
  const c = new Float32Array(memory.buffer, C, expected.length);
  const flops = 2 * variant.rows * variant.columns * BLOCK * BLOCKS;
  return expected.every((value, i) => c[i] === 2 * value) ? { variant, repeat, flops } : null;
}

/** The largest integers a method is used for: of A, and of B with its offset. */
const EXTREMES: Readonly<Record<MxMethod, readonly [a: number, b: number]>> = {
  dot: [127, 127],
  pairs: [60, 120],
  sums: [12, 24],
  plain: [127, 127],
};

/** Panels of extremes and small integers, scales a half and two; gives the product they should have. */
function fill(memory: WebAssembly.Memory, variant: MxVariant): number[] {
  const { rows, columns, method } = variant;
  const bytes = elementBytes(method);
  const [mostA, mostB] = EXTREMES[method];
  const signed = method === "plain" ? 1 : 0;
  const valueA = (i: number) => (i % 5 === 0 ? mostA : i % 3 === 0 ? -mostA : (i % 7) - 3);
  const valueB = (i: number) => (i % 4 === 1 ? mostB : (i % 11) - 5 * signed);
  const left = panel(memory, A, rows, method, true, 0.5, valueA);
  const right = panel(memory, B, columns, method, false, 2, valueB);
  return Array.from({ length: rows * columns }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < BLOCKS * BLOCK; k++)
      sum += left(Math.floor(at / columns), k, bytes) * right(at % columns, k, bytes);
    return sum;
  });
} // prettier-ignore

/** Writes one strip's records; gives its integers by place and k. */
function panel(
  memory: WebAssembly.Memory,
  at: number,
  width: number,
  method: MxMethod,
  corrected: boolean,
  scale: number,
  value: (i: number) => number,
): (place: number, k: number, bytes: number) => number {
  const view = new DataView(memory.buffer);
  const bytes = elementBytes(method);
  const record = recordBytes(width, BLOCK, method, corrected && method !== "plain");
  const integerAt = (place: number, k: number) => {
    const inBlock = k % BLOCK;
    const perWord = 4 / bytes;
    const word = Math.floor(inBlock / perWord) * width + place;
    return at + Math.floor(k / BLOCK) * record + word * 4 + (inBlock % perWord) * bytes;
  };
  const integer = (place: number, k: number) => value(place * 131 + k * 7);
  for (let place = 0; place < width; place++)
    for (let k = 0; k < BLOCKS * BLOCK; k++)
      if (bytes === 2) view.setInt16(integerAt(place, k), integer(place, k), true);
      else view.setInt8(integerAt(place, k), integer(place, k));
  for (let b = 0; b < BLOCKS; b++)
    for (let place = 0; place < width; place++) {
      const tail = at + b * record + width * BLOCK * bytes + place * 4;
      view.setFloat32(tail, scale, true);
      if (corrected && method !== "plain") view.setInt32(tail + width * 4, 0, true);
    }
  return integer;
}
