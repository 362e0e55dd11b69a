/**
 * What both sides of a comparison share: sizes, data, and the way of measuring. The peers' side, plain JavaScript in
 * a scratch folder, imports the compiled file by its address, so this one leans on Node alone. `with_torch.py` mirrors it.
 */
import { peakResidentBytes } from "../../src/io/process-memory.ts";

/** Sizes and learning rates of the tasks; `gpt-mxfp6` is `gpt` under LMD, operands of its forward products in blocks. */
export const sizes = {
  gemm: [256, 512, 1024, 2048],
  gemmMx: { size: 1024, formats: ["mxfp4", "mxfp6"] },
  mlp: { batch: 128, widths: [784, 1024, 1024, 10], lr: 1e-3 },
  convnet: { batch: 64, size: 32, channels: [3, 32, 64, 64], classes: 10, lr: 1e-3 },
  gpt: { layers: 4, width: 256, heads: 4, context: 128, batch: 8, vocabulary: 1024, lr: 1e-3, weightDecay: 0.01 },
  adam: { parameters: 10_000_000, lr: 1e-3 },
} as const; // prettier-ignore

/** Work that both sides do. */
export const taskNames = ["gemm", "gemm-mx", "gpt", "gpt-mxfp6", "mlp", "convnet", "adam"] as const;
export type TaskName = (typeof taskNames)[number];

/** One line of a side's output. */
export interface TaskResult {
  /** The task, for gemm with its size and format: "gemm 1024", "gemm mxfp4 1024". */
  readonly task: string;
  /** Median of a step. */
  readonly milliseconds: number;
  readonly steps: number;
  /** Peak resident memory of the process so far. */
  readonly peakBytes: number;
  /** Peak of the buffers of its backend, where the side can tell. */
  readonly bufferBytes?: number;
  /** Loss of the first step and mean loss of the last four, where there is one: both sides must learn. */
  readonly loss?: readonly [first: number, last: number];
}

/** Standard normal numbers by Box and Muller from a 32-bit generator (mulberry32); `uniform` in [0, 1). */
export function generator(seed: number): { uniform(): number; normal(): number } {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

/** `length` numbers of N(0, deviation²). */
export function normals(seed: number, length: number, deviation = 1): Float32Array {
  const { normal } = generator(seed);
  return Float32Array.from({ length }, () => normal() * deviation);
}

/** A batch of inputs and what is to be said of each. */
export interface ClassBatch {
  readonly x: Float32Array; // [batch, features]
  readonly y: Int32Array; // [batch]
}

/** Ten classes: half a prototype and noise. */
export function classBatches(count: number, batch: number, features: number, seed: number): ClassBatch[] {
  const { uniform, normal } = generator(seed);
  const prototypes = Float32Array.from({ length: 10 * features }, normal);
  return Array.from({ length: count }, () => {
    const y = Int32Array.from({ length: batch }, () => Math.floor(uniform() * 10));
    const x = Float32Array.from(
      { length: batch * features },
      (_, i) => 0.5 * prototypes[y[Math.floor(i / features)] * features + (i % features)] + normal(),
    );
    return { x, y };
  });
}

/** Sequences, one after the other, and at each place what follows. */
export interface TokenBatch {
  readonly x: Int32Array; // [batch, context]
  readonly y: Int32Array; // [batch, context]
}

/** Sequences with a rule to learn, next = (5 · token + 7) mod vocabulary, one time in ten broken. */
export function tokenBatches(
  count: number,
  { batch, context, vocabulary }: { batch: number; context: number; vocabulary: number },
  seed: number,
): TokenBatch[] {
  const { uniform } = generator(seed);
  const anyToken = (): number => Math.floor(uniform() * vocabulary);
  return Array.from({ length: count }, () => {
    const x = new Int32Array(batch * context);
    const y = new Int32Array(batch * context);
    for (let i = 0; i < x.length; i++) {
      x[i] = i % context === 0 ? anyToken() : y[i - 1];
      y[i] = uniform() < 0.1 ? anyToken() : (5 * x[i] + 7) % vocabulary;
    }
    return { x, y };
  });
}

/**
 * Runs a step, which may give its loss, two times to warm up, then for so long, at least five times; prints. Steps so slow
 * that this takes ten times as long end after two.
 *
 * @param bufferPeak  tells the peak of the backend's buffers.
 */
export async function measure(
  task: string,
  milliseconds: number,
  step: (i: number) => Promise<number | void> | number | void,
  bufferPeak?: () => number,
): Promise<void> {
  const losses: number[] = [];
  const times: number[] = [];
  const begin = performance.now();
  const enough = (i: number): boolean => {
    const passed = performance.now() - begin;
    if (i >= WARM_UP + 2 && passed > PATIENCE * milliseconds) return true;
    return i >= WARM_UP + LEAST_STEPS && passed >= milliseconds;
  };
  for (let i = 0; !enough(i); i++) {
    const start = performance.now();
    const loss = await step(i);
    if (i >= WARM_UP) times.push(performance.now() - start);
    if (typeof loss === "number") losses.push(loss);
  }
  const last = losses.slice(-4).reduce((sum, loss, _, all) => sum + loss / all.length, 0);
  const result: TaskResult = {
    task,
    milliseconds: times.toSorted((a, b) => a - b)[times.length >> 1],
    steps: times.length,
    peakBytes: peakResidentBytes(),
    ...(bufferPeak ? { bufferBytes: bufferPeak() } : {}),
    ...(losses.length > 0 ? { loss: [losses[0], last] } : {}),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

const WARM_UP = 2;
const LEAST_STEPS = 5;
const PATIENCE = 10;

/** @throws Error when element (3, 5) of the product A·B of n × n matrices is not what float64 says. */
export function checkProduct(n: number, a: Float32Array, b: Float32Array, element: number): void {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += a[3 * n + k] * b[k * n + 5];
  if (!(Math.abs(element - sum) < 1e-2)) throw new Error(`wrong product of ${n}: ${element}, wants ${sum}`);
}
