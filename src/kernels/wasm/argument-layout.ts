/** Which word of the argument block holds what. */
import type { BufferSlice, Call } from "../backend.ts";
import { ProgramError } from "../program.ts";
import type { Uniforms } from "../signature.ts";
import { ARGUMENT_WORDS, type Arguments } from "./lowering.ts";

/** The backend fills words 0 and 1. */
export const FIRST_WORD = 2;

/** Sizes of a [outer · rows, columns] view as kernels read them. */
export type SizeName = "outer" | "rows" | "columns" | "block" | "total";

export interface LayoutParts {
  readonly sizes: readonly SizeName[];
  readonly uniforms: Uniforms;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Gives every size, uniform and buffer of a kernel its word, counted from a first word on. */
export class ArgumentLayout {
  readonly parts: LayoutParts;
  private readonly first: number;
  private readonly slots = new Map<string, number>();
  private readonly uniforms: readonly string[];
  private readonly floats: readonly boolean[];

  /**
   * @param first the first word, counted from the address that code is given. Default: after the backend's own.
   * @throws ProgramError when a kernel has more arguments than the block has words.
   */
  constructor(parts: LayoutParts, first: number = FIRST_WORD) {
    this.parts = parts;
    this.first = first;
    this.uniforms = Object.keys(parts.uniforms);
    this.floats = Object.values(parts.uniforms).map((type) => type === "f32");
    const names = [
      ...parts.sizes.map((name) => `size:${name}`),
      ...Object.keys(parts.uniforms).map((name) => `uniform:${name}`),
      ...parts.inputs.map((name) => `input:${name}`),
      ...parts.outputs.map((name) => `output:${name}`),
    ];
    for (const name of names) this.slots.set(name, this.slots.size);
    if (this.words + FIRST_WORD > ARGUMENT_WORDS)
      throw new ProgramError(`${this.words} arguments; a kernel takes up to ${ARGUMENT_WORDS - FIRST_WORD}`);
  }

  get words(): number {
    return this.slots.size;
  }

  /** The word of `size:rows`, `uniform:lr`, `input:x`, `output:y`. */
  slot(name: string): number {
    const slot = this.slots.get(name);
    if (slot === undefined) throw new ProgramError(`the kernel does not declare ${name.replace(":", " ")}`);
    return this.first + slot;
  }

  /**
   * Writes uniforms, buffer addresses and the sizes given, `shift` words further on. Runs at every dispatch: loops by index, which
   * leave nothing behind.
   */
  encode(
    call: Call,
    address: (slice: BufferSlice) => number,
    target: Arguments,
    sizes: Partial<Record<SizeName, number>> = {},
    shift = 0,
  ): void {
    const { words, floats } = target;
    let word = this.first + shift; // in the order in which the constructor gave out the slots
    const { sizes: names, inputs, outputs } = this.parts;
    for (let i = 0; i < names.length; i++) words[word++] = sizes[names[i]] ?? 0;
    for (let i = 0; i < this.uniforms.length; i++) {
      const value = call.uniforms?.[this.uniforms[i]] ?? 0;
      if (this.floats[i]) floats[word++] = value;
      else words[word++] = value | 0;
    }
    for (let i = 0; i < inputs.length; i++) words[word++] = address(call.inputs[inputs[i]]) | 0;
    for (let i = 0; i < outputs.length; i++)
      words[word++] = address(call.outputs[outputs[i]] ?? call.inputs[outputs[i]]) | 0;
  }
}

/** The sizes of a call on a matrix. */
export function matrixSizes(call: Call): Record<SizeName, number> {
  const sizes = call.sizes as { outer?: number; rows: number; columns: number };
  const outer = sizes.outer ?? 1;
  const rows = outer * sizes.rows;
  return { outer, rows, block: sizes.rows, columns: sizes.columns, total: rows * sizes.columns };
}
