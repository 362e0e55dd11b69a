/** How the threads of a run share a range, and how a share is gone through in chunks. */
import type { Code, Local } from "./assembler.ts";

/** Two locals: a range from `start` up to `end`. */
export interface Range {
  readonly start: Local;
  readonly end: Local;
}

/**
 * This thread's share of [0, total): contiguous, its bounds multiples of `granule`. Late threads may get none.
 * What is shared out must not be a reduction, so results do not depend on the number of threads.
 */
export function writeShare(code: Code, thread: Local, threads: Local, total: Local, granule: number): Range {
  const start = code.local("i32");
  const end = code.local("i32");
  const share = code.local("i32");
  code.get(total).get(threads).op("i32.add").i32(1).op("i32.sub").get(threads).op("i32.div_u");
  code.i32(granule - 1).op("i32.add").i32(-granule).op("i32.and").set(share); // prettier-ignore
  code.get(share).get(thread).op("i32.mul").set(start);
  pushMinimum(code, start, total).set(start);
  code.get(start).get(share).op("i32.add").set(end);
  pushMinimum(code, end, total).set(end);
  return { start, end };
}

/** Pushes the smaller of two unsigned numbers. */
export function pushMinimum(code: Code, a: Local, b: Local): Code {
  return code.get(a).get(b).get(a).get(b).op("i32.lt_u").op("select");
}

/**
 * Calls `body` for pieces of a range of at most `size` each. A piece is one call of a function, since V8 switches to
 * optimised code only when a function is entered.
 */
export function writeChunks(
  code: Code,
  { start, end }: Range,
  size: Local,
  body: (chunk: Range) => void,
): void {
  const stop = code.local("i32");
  code.while(
    () => code.get(start).get(end).op("i32.lt_u"),
    () => {
      code.get(end).get(start).op("i32.sub").set(stop);
      pushMinimum(code, stop, size).get(start).op("i32.add").set(stop);
      body({ start, end: stop });
      code.get(stop).set(start);
    },
  );
}

/** Elements that a chunk should have about. */
export const CHUNK = 4096;

/** Sets a local to max(1, CHUNK / columns): rows in a chunk. */
export function rowsPerChunk(code: Code, columns: Local): Local {
  const rows = code.local("i32");
  const wide = code.local("i32");
  code.get(columns).i32(CHUNK).op("i32.lt_u").set(wide);
  code.i32(1).set(rows);
  code.get(wide).if(
    () =>
    code.i32(CHUNK).get(columns).i32(1).get(columns).op("select").op("i32.div_u").set(rows), // prettier-ignore
  );
  return rows;
}

/** Goes through rows in chunks, ascending: those from `from` (default 0) up to what `pushEnd` pushes. */
export function writeRowChunks(
  code: Code,
  columns: Local,
  pushEnd: () => void,
  body: (rows: Range) => void,
  from?: Local,
): void {
  const rows: Range = { start: code.local("i32"), end: code.local("i32") };
  if (from) code.get(from).set(rows.start);
  else code.i32(0).set(rows.start);
  pushEnd();
  code.set(rows.end);
  writeChunks(code, rows, rowsPerChunk(code, columns), body);
}
