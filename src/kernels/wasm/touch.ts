/** Fetches what a chunk will read before it is worked on. */
import type { Callee, Code, Local, Module } from "./assembler.ts";
import { pushMinimum, type Range } from "./split.ts";

const LINE = 64;
/** What the processor's own prefetchers do not look across. */
const PAGE = 4096;
/** Lines of a page that show them its direction. */
const SHOWN = 4;

/**
 * Defines (from, to, where) → void: reads a word of the first cache lines of every page between two addresses, and stores
 * their sum at `where`, so that the reads are not optimised away.
 *
 * In a loop of hundreds of instructions a turn the processor looks too few turns ahead to keep memory busy, and stops at
 * every page. These reads it overlaps, and its prefetchers go on from them while the loop computes; to read every line here
 * would wait for all of them first.
 */
export function defineTouch(module: Module): Callee {
  return module.function(["i32", "i32", "i32"], [], null, (code, from, to, where) => {
    const [sum, last, at] = [code.local("i32"), code.local("i32"), code.local("i32")];
    code.get(to).i32(4).op("i32.sub").set(last);
    code.while(
      () => code.get(from).get(to).op("i32.lt_u"),
      () => {
        for (let line = 0; line < SHOWN; line++) {
          code.get(from).i32(LINE * line).op("i32.add").set(at); // prettier-ignore
          pushMinimum(code, at, last).memory("i32.load").get(sum).op("i32.add").set(sum);
        }
        code.get(from).i32(PAGE).op("i32.add").i32(-PAGE).op("i32.and").set(from); // prettier-ignore
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
