/** A conformance case, how a backend runs it, and how its answer is judged. */
import { expect } from "vitest";

import type { Backend, BufferSlice, Call, HostArray, Kernel } from "../../../src/kernels/backend.ts";
import { storageBytes, type StorageType } from "../../../src/kernels/program.ts";
import { fromBf16, fromF16 } from "../../../src/kernels/reference/narrow.ts";
import { emptyOf } from "./seeded.ts";
import { ulpError } from "./ulp.ts";

/** An input: its elements as they lie in memory. */
export interface Given {
  readonly storage: StorageType;
  readonly data: HostArray;
}

/** An output. */
export interface Wanted {
  readonly storage: StorageType;
  readonly length: number;
  /** What the output holds before the run. */
  readonly before?: HostArray;
}

/**
 * How near an output must come to the judge's float64 value:
 *
 * - `exact`  the judge's value rounded to the storage, bit for bit (any NaN for a NaN)
 * - `ulps`   within so many float32 ulp of it
 * - `close`  |error| ≤ absolute + relative · |value|
 * - `bound`  |error| ≤ bound(element)
 */
export type Tolerance =
  | { readonly kind: "exact" }
  | { readonly kind: "ulps"; readonly ulps: number }
  | { readonly kind: "close"; readonly absolute: number; readonly relative: number }
  | { readonly kind: "bound"; readonly bound: (element: number) => number };

/** One run of a kernel, and how near its outputs must come to the judge's. */
export interface Case {
  readonly name: string;
  readonly kernel: Kernel;
  readonly sizes: Call["sizes"];
  readonly uniforms?: Readonly<Record<string, number>>;
  readonly inputs: Readonly<Record<string, Given>>;
  readonly outputs: Readonly<Record<string, Wanted>>;
  /** Outputs that lie where an input does; they are then left out of `outputs`. */
  readonly inPlace?: Readonly<Record<string, string>>;
  /** One for all outputs, or one a name. */
  readonly tolerance: Tolerance | Readonly<Record<string, Tolerance>>;
  /** Elements by which every slice is moved from its buffer's start; default 0. */
  readonly shift?: number;
}

/** The judge's value, rounded to the storage. */
export const exact: Tolerance = { kind: "exact" };
/** Within so many float32 ulp. */
export const ulps = (count: number): Tolerance => ({ kind: "ulps", ulps: count });
/** Within absolute + relative · |value|. */
export const close = (absolute: number, relative: number): Tolerance => ({
  kind: "close",
  absolute,
  relative,
});

/** Every output of a run, by name. */
export type Answer = Readonly<Record<string, HostArray>>;

const GUARD = 96;
const GUARD_BYTE = 0xa5;

/** Runs a case on a backend; fails when a byte beside an output was touched. */
export async function answer(backend: Backend, test: Case): Promise<Answer> {
  const shift = test.shift ?? 0;
  const inputs = mapped(test.inputs, ({ storage, data }) => guarded(backend, storage, data, shift));
  const made = mapped(test.outputs, ({ storage, length, before }) =>
    guarded(backend, storage, before ?? emptyOf(storage, length), shift),
  );
  const outputs = { ...made, ...mapped(test.inPlace ?? {}, (source) => inputs[source]) };
  const { kernel, sizes, uniforms = {} } = test;
  try {
    backend.run(backend.compile(kernel), { inputs, outputs, uniforms, sizes });
    return await collected(backend, test, outputs);
  } finally {
    for (const { buffer } of [...Object.values(inputs), ...Object.values(made)]) backend.free(buffer);
  }
}

async function collected(
  backend: Backend,
  test: Case,
  outputs: Readonly<Record<string, BufferSlice>>,
): Promise<Answer> {
  const answers: Record<string, HostArray> = {};
  for (const [name, { storage, length }] of Object.entries(wanted(test))) {
    answers[name] = await backend.read(outputs[name], storage, length);
    await checkGuards(backend, outputs[name], length * storageBytes[storage], name);
  }
  return answers;
}

/** Every output of a case, the ones in place too. */
export function wanted(test: Case): Readonly<Record<string, Wanted>> {
  const inPlace = mapped(test.inPlace ?? {}, (source) => ({
    storage: test.inputs[source].storage,
    length: test.inputs[source].data.length,
  }));
  return { ...test.outputs, ...inPlace };
}

/** Fails where an answer strays from the judge's by more than the case allows. */
export function judge(test: Case, judged: Answer, got: Answer): void {
  for (const [name, { storage }] of Object.entries(wanted(test))) {
    const tolerance = "kind" in test.tolerance ? test.tolerance : test.tolerance[name];
    const rule = tolerance as Tolerance;
    for (let i = 0; i < judged[name].length; i++) {
      const complaint = compare(storage, rule, i, judged[name][i], got[name][i]);
      if (complaint) expect.fail(`${test.name}: ${name}[${i}]: ${complaint}`);
    }
  }
}

function compare(
  storage: StorageType,
  rule: Tolerance,
  at: number,
  judged: number,
  got: number,
): string | null {
  const [expected, value] = [numberOf(storage, judged), numberOf(storage, got)];
  const told = `${value}, judge says ${expected}`;
  if (rule.kind === "exact") {
    const rounded = storage === "f32" ? Math.fround(expected) : expected;
    return Object.is(rounded, value) ? null : told;
  }
  if (rule.kind === "ulps") {
    const error = ulpError(value, expected);
    return error <= rule.ulps ? null : `${told} (${error.toFixed(2)} ulp, allowed ${rule.ulps})`;
  }
  if (Object.is(Math.fround(expected), value)) return null;
  const allowed = rule.kind === "close" ? rule.absolute + rule.relative * Math.abs(expected) : rule.bound(at);
  const error = Math.abs(value - expected);
  return error <= allowed ? null : `${told} (off by ${error}, allowed ${allowed})`;
}

function numberOf(storage: StorageType, element: number): number {
  return storage === "bf16" ? fromBf16(element) : storage === "f16" ? fromF16(element) : element;
}

function guarded(backend: Backend, storage: StorageType, data: HostArray, shift: number): BufferSlice {
  const offset = GUARD + shift * storageBytes[storage];
  const buffer = backend.allocate(offset + data.length * storageBytes[storage] + GUARD);
  backend.write({ buffer, offset: 0 }, new Uint8Array(buffer.bytes).fill(GUARD_BYTE));
  backend.write({ buffer, offset }, data);
  return { buffer, offset };
}

const touched = (byte: number): boolean => byte !== GUARD_BYTE;

async function checkGuards(backend: Backend, slice: BufferSlice, bytes: number, name: string): Promise<void> {
  const { buffer, offset } = slice;
  const end = offset + bytes;
  const before = await backend.read({ buffer, offset: 0 }, "u8", offset);
  const after = await backend.read({ buffer, offset: end }, "u8", buffer.bytes - end);
  if (Array.from(before).some(touched)) expect.fail(`bytes before output "${name}" were written`);
  if (Array.from(after).some(touched)) expect.fail(`bytes after output "${name}" were written`);
}

const mapped = <T, R>(record: Readonly<Record<string, T>>, f: (value: T) => R): Record<string, R> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value)]));
