/** The wasm function that expressions are being written into, and what it can reach. */
import type { ArgumentLayout } from "./argument-layout.ts";
import type { Code, Local } from "./assembler.ts";
import type { ConstantPool } from "./constants.ts";
import type { Target } from "./lowering.ts";

export interface Frame {
  readonly code: Code;
  readonly target: Target;
  readonly pool: ConstantPool;
  readonly layout: ArgumentLayout;
  /** Address of the layout's first word. */
  readonly words: Local;
  /** Address of the pool. */
  readonly constants: Local;
  /** Address of memory that this thread alone uses; undefined where a function is given none. */
  readonly scratch?: Local;
}

/** Pushes the word of `size:rows`, `input:x` and so on. */
export function pushWord({ code, layout, words }: Frame, name: string): Code {
  return code.get(words).memory("i32.load", 4 * layout.slot(name));
}

/** Loads a word into a local of its own. */
export function wordLocal(frame: Frame, name: string): Local {
  const local = frame.code.local("i32");
  pushWord(frame, name).set(local);
  return local;
}

/** Pushes a vector of the pool. */
export function pushVector(
  { code, constants, pool }: Frame,
  words: readonly [number, number, number, number],
): Code {
  return code.get(constants).memory("v128.load", pool.vector(words));
}

/** Pushes four times the same 32 bits. A splatting load, because V8 can widen that one to 256 bits. */
export function pushSplat({ code, constants, pool }: Frame, bits: number): Code {
  return code.get(constants).memory("v128.load32_splat", pool.word(bits));
}

/** Pushes four times the word of a uniform. */
export function pushUniform({ code, layout, words }: Frame, name: string): Code {
  return code.get(words).memory("v128.load32_splat", 4 * layout.slot(`uniform:${name}`));
}
