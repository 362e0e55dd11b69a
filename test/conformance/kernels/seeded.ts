/** Test data from a seed: the same on every machine. */
import type { HostArray } from "../../../src/kernels/backend.ts";
import type { StorageType } from "../../../src/kernels/program.ts";
import { toBf16, toF16 } from "../../../src/kernels/reference/narrow.ts";

/** Uniform numbers in [0, 1). @source M. O'Neill's PCG family, XSH-RR output over a 32-bit state. */
export function generator(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0;
  return () => {
    state = (Math.imul(state, 747796405) + 2891336453) >>> 0;
    const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737) >>> 0;
    return (((word >>> 22) ^ word) >>> 0) / 2 ** 32;
  };
}

/** Numbers from a normal distribution, as Box and Muller make them. */
export function normals(length: number, seed: number, deviation = 1): number[] {
  const next = generator(seed);
  return Array.from({ length }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    return deviation * radius * Math.cos(2 * Math.PI * next());
  });
}

/** Whole numbers from `low` to `high`. */
export function integers(length: number, seed: number, low: number, high: number): number[] {
  const next = generator(seed);
  return Array.from({ length }, () => low + Math.floor(next() * (high - low + 1)));
}

const ARRAYS = {
  f32: Float32Array, bf16: Uint16Array, f16: Uint16Array, u8: Uint8Array, i8: Int8Array, u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
} as const; // prettier-ignore

/** Numbers as a storage holds them; bf16 and f16 are rounded to their patterns. */
export function held(storage: StorageType, values: ArrayLike<number>): HostArray {
  const list = Array.from(values);
  if (storage === "bf16") return Uint16Array.from(list, toBf16);
  if (storage === "f16") return Uint16Array.from(list, toF16);
  return ARRAYS[storage].from(list);
}

/** An empty array of a storage. */
export const emptyOf = (storage: StorageType, length: number): HostArray => new ARRAYS[storage](length);

/** Floats that arithmetic stumbles over. */
export const AWKWARD_FLOATS: readonly number[] = [
  0, -0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3.5, 2 ** -149, -(2 ** -149), 2 ** -127, 2 ** -126, 1 + 2 ** -23,
  1 - 2 ** -24, 8388607.5,
  8388609, 16777216, -16777217, 2147483520, 2147483648, -2147483648, -2147483904, 4294967040, 4294967296,
  1e10, 3.4028234663852886e38,
  -3.4028234663852886e38, Infinity, -Infinity, NaN, 100, -100, 1e-10, 88.5, -88.5, 0.1, -0.3,
]; // prettier-ignore

/** Integers at the ends of the 32-bit ranges. */
export const AWKWARD_INTEGERS: readonly number[] = [
  0, 1, -1, 2, -2, 3, 7, 127, 128, -128, -129, 255, 256, 32767, 32768, 65535, 65536, 16777217, 0x12345678,
  2147483647, -2147483648,
  -2147483647, 0x55555555, -1431655766, 1000003,
]; // prettier-ignore

/** All pairs of a list, as two columns. */
export function pairs(list: readonly number[]): [number[], number[]] {
  return [list.flatMap((a) => list.map(() => a)), list.flatMap(() => [...list])];
}
