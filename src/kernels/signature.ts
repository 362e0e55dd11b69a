/** What every kernel shape declares: its inputs, its uniforms, and how they become {@link Value}s. */
import { input, uniform, ProgramError, type StorageType, type Value } from "./program.ts";

/**
 * Which element of a buffer belongs to position (row r, column c) of a [rows, columns] view:
 *
 * - `element`  buffer[r · columns + c]
 * - `row`      buffer[r]
 * - `column`   buffer[c]
 * - `block`    buffer[o · columns + c], o the number of the outer block (not in `gather` and `gemm` kernels)
 * - `scalar`   buffer[0]
 * - `table`    read with `lookup` only
 * - `gathered` buffer[index[r] · columns + c] (`gather` kernels only)
 *
 * With `outer` > 1, r counts through all outer blocks: r = o · rows + row.
 */
export type Access = "element" | "row" | "column" | "block" | "scalar" | "table" | "gathered";

export interface Input {
  readonly storage: StorageType;
  readonly access: Access;
}
export type Inputs = Readonly<Record<string, Input>>;
export type Uniforms = Readonly<Record<string, "f32" | "i32" | "u32">>;

/** A value and the storage it is rounded to: `f32` as is, `bf16` and `f16` to nearest even, integers wrap. */
export interface Output {
  readonly storage: StorageType;
  readonly value: Value;
}
export type Outputs = Readonly<Record<string, Output>>;

export const element = (storage: StorageType): Input => ({ storage, access: "element" });
export const perRow = (storage: StorageType): Input => ({ storage, access: "row" });
export const perColumn = (storage: StorageType): Input => ({ storage, access: "column" });
export const perBlock = (storage: StorageType): Input => ({ storage, access: "block" });
export const scalar = (storage: StorageType): Input => ({ storage, access: "scalar" });
export const table = (storage: StorageType): Input => ({ storage, access: "table" });
export const gathered = (storage: StorageType): Input => ({ storage, access: "gathered" });
export const output = (storage: StorageType, value: Value): Output => ({ storage, value });

/** Names to Values: what a kernel's body is written in. Tables appear too, but only `lookup` may read them. */
export type Scope<I extends Inputs, U extends Uniforms> = {
  readonly [K in keyof I | keyof U]: Value;
};

/** @throws ProgramError when an input and a uniform share a name. */
export function scopeOf<I extends Inputs, U extends Uniforms>(inputs: I, uniforms: U): Scope<I, U> {
  const scope: Record<string, Value> = {};
  for (const [name, { storage }] of Object.entries(inputs)) scope[name] = input(name, storage);
  for (const [name, type] of Object.entries(uniforms)) {
    if (name in scope) throw new ProgramError(`"${name}" is both an input and a uniform`);
    scope[name] = uniform(type, name);
  }
  return scope as Scope<I, U>;
}
