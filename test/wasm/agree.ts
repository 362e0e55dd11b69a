/** Compares a lowering with the reference backend, bit by bit. */
import { expect } from "vitest";
import type { BufferSlice, Call, HostArray, Kernel, MatrixSizes } from "../../src/kernels/backend.ts";
import { storageBytes, type StorageType } from "../../src/kernels/program.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import type { Lowering, Target } from "../../src/kernels/wasm/lowering.ts";
import { LoweredRun, plainTarget } from "./lowered-run.ts";

export interface Trial {
  readonly inputs: Readonly<Record<string, HostArray>>;
  /** Storage and number of elements; an output named as an input lies where that input does. */
  readonly outputs: Readonly<Record<string, readonly [StorageType, number]>>;
  readonly uniforms?: Readonly<Record<string, number>>;
  readonly sizes: MatrixSizes;
  readonly threads?: number;
  readonly target?: Target;
}

const UNTOUCHED = 0xab;

const unsigned = (bytes: Uint8Array, size: number): ArrayLike<number> =>
  size === 4
    ? new Uint32Array(bytes.buffer)
    : size === 2
      ? new Uint16Array(bytes.buffer)
      : new Uint8Array(bytes.buffer);

/** Any float32 NaN counts as the same. */
const canonical = (storage: StorageType, bits: number): number =>
  storage === "f32" && (bits & 0x7fffffff) >>> 0 > 0x7f800000 ? 0x7fc00000 : bits;

function slicesOf(trial: Trial, place: (data: HostArray) => BufferSlice): Call {
  const inputs = Object.fromEntries(Object.entries(trial.inputs).map(([name, data]) => [name, place(data)]));
  const fresh = Object.entries(trial.outputs).filter(([name]) => !(name in inputs));
  const outputs = Object.fromEntries(
    fresh.map(([name, [storage, length]]) => [
      name,
      place(new Uint8Array(length * storageBytes[storage]).fill(UNTOUCHED)),
    ]),
  );
  return { inputs, outputs, sizes: trial.sizes, uniforms: trial.uniforms ?? {} };
}

/** Runs a kernel both ways. Asserts equal bits, and nothing written past an output's end. */
export async function expectAgreement<K extends Kernel>(
  lower: Lowering<K>,
  kernel: K,
  trial: Trial,
): Promise<void> {
  const reference = createReferenceBackend({ precision: "float32" });
  const judged = slicesOf(trial, (data) => {
    const slice = { buffer: reference.allocate(data.byteLength), offset: 0 };
    reference.write(slice, data);
    return slice;
  });
  reference.run(reference.compile(kernel), judged);
  const machine = new LoweredRun();
  const call = slicesOf(trial, (data) => machine.place(data));
  const before = snapshot(machine, call, trial);
  machine.run(lower, kernel, call, trial.threads ?? 1, trial.target ?? plainTarget);
  for (const [name, [storage, length]] of Object.entries(trial.outputs)) {
    const size = storageBytes[storage];
    const all = machine.bytes(call.outputs[name] ?? call.inputs[name]);
    const got = Array.from(unsigned(all.slice(0, length * size), size), (x) => canonical(storage, x));
    const right = await reference.read(judged.outputs[name] ?? judged.inputs[name], storage, length);
    const bytes = new Uint8Array(right.buffer, right.byteOffset, right.byteLength).slice();
    const want = Array.from(unsigned(bytes, size), (x) => canonical(storage, x));
    expect(got, `${kernel.name}: ${name} at ${JSON.stringify(trial.sizes)}`).toEqual(want);
    expect(all.slice(length * size), `${kernel.name}: past the end of ${name}`).toEqual(before.get(name));
  }
  await reference.close();
}

/** What lies past the end of each output before a run. */
function snapshot(machine: LoweredRun, call: Call, trial: Trial): Map<string, Uint8Array> {
  const ends = Object.entries(trial.outputs).map(([name, [storage, length]]): [string, Uint8Array] => {
    const bytes = machine.bytes(call.outputs[name] ?? call.inputs[name]);
    return [name, bytes.slice(length * storageBytes[storage])];
  });
  return new Map(ends);
}

/** Deterministic numbers in [0, 1). */
export function sequence(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Small whole numbers, whose sums are exact in any order. */
export function wholeNumbers(length: number, seed = 1): Float32Array<ArrayBuffer> {
  const next = sequence(seed);
  return Float32Array.from({ length }, () => Math.floor(next() * 64) - 32);
}
