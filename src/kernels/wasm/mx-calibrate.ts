/** Choosing the micro-kernel of integer blocks: each is tested once, then timed for a millisecond. */
import { Module } from "./assembler.ts";
import { probeMemory, probePages } from "./calibrate.ts";
import type { Engine } from "./engine.ts";
import {
  MX_VARIANTS,
  defineMxMicro,
  elementBytes,
  recordBytes,
  type MxMethod,
  type MxVariant,
} from "./mx-micro.ts";

/** A micro-kernel and its rate on packed panels, in GFLOP/s (two a multiply-add) on one thread. */
export interface MxCandidate {
  readonly variant: MxVariant;
  readonly gflops: number;
}

/** Blocks of a test product and their length, and places of its operands in the probe's memory. */
const BLOCKS = 8;
const BLOCK = 32;
const A = 1024;
const B = 8 * 1024;
const C = 40 * 1024;
/** Rounds of timing, and the least time of one in milliseconds. */
const ROUNDS = 5;
const ROUND_MS = 0.2;

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
    const found = timed(this.engine, MX_VARIANTS.filter((variant) => variant.method === method));
    this.known.set(method, found);
    return found;
  } // prettier-ignore
}

interface Probe {
  readonly variant: MxVariant;
  readonly repeat: (count: number) => void;
  count: number;
  gflops: number;
}

function timed(engine: Engine, variants: readonly MxVariant[]): MxCandidate[] {
  const memory = probeMemory(engine);
  const probes = variants.map((variant) => probe(engine, memory, variant)).filter((found) => found !== null);
  for (let round = 0; round < ROUNDS; round++) for (const each of probes) timeOnce(each);
  return probes.map(({ variant, gflops }) => ({ variant, gflops }));
}

/** Null when it cannot be compiled or computes nonsense. */
function probe(engine: Engine, memory: WebAssembly.Memory, variant: MxVariant): Probe | null {
  try {
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
    return expected.every((value, i) => c[i] === 2 * value) ? { variant, repeat, count: 8, gflops: 0 } : null;
  } catch (error) {
    if (error instanceof WebAssembly.CompileError || error instanceof WebAssembly.RuntimeError) return null;
    throw error;
  }
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

/** One round, at least {@link ROUND_MS} long. */
function timeOnce(candidate: Probe): void {
  const { rows, columns } = candidate.variant;
  const flops = 2 * rows * columns * BLOCK * BLOCKS;
  for (;;) {
    const start = performance.now();
    candidate.repeat(candidate.count);
    const elapsed = performance.now() - start;
    if (elapsed >= ROUND_MS) {
      candidate.gflops = Math.max(candidate.gflops, (flops * candidate.count) / elapsed / 1e6);
      return;
    }
    candidate.count *= 2;
  }
}
