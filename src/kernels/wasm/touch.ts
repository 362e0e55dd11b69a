/** Fetches what a chunk will read before it is worked on. */
import type { Callee, Code, Local, Module } from "./assembler.ts";
import type { Range } from "./split.ts";

const LINE = 64;

/**
 * Defines (from, to, where) → void: reads a word of every cache line between two addresses, and stores their sum at
 * `where`, so that the reads are not optimised away.
 *
 * In a loop of hundreds of instructions a turn the processor looks too few turns ahead to keep memory busy; reads
 * alone it overlaps by the dozen.
 */
export function defineTouch(module: Module): Callee {
  return module.function(["i32", "i32", "i32"], [], null, (code, from, to, where) => {
    const sum = code.local("i32");
    code.while(
      () => code.get(from).get(to).op("i32.lt_u"),
      () => {
        code.get(from).memory("i32.load").get(sum).op("i32.add").set(sum);
        code.get(from).i32(LINE).op("i32.add").set(from);
      },
    );
    code.get(where).get(sum).memory("i32.store");
  });
}

/** Calls it for a range of elements of `bytes` bytes each, of the buffer whose address `base` pushes. */
export function callTouch(
  code: Code,
  touch: Callee,
  base: () => void,
  bytes: number,
  range: Range,
  where: Local,
): void {
  for (const bound of [range.start, range.end]) {
    base();
    code.get(bound).i32(Math.log2(bytes)).op("i32.shl").op("i32.add");
  }
  code.get(where).call(touch);
}
