/**
 * The first pages of the shared memory, and the small module by which threads meet: `dispatch` and `wait` for
 * the caller (thread 0), `loop` for the others.
 *
 * Every dispatch raises the generation. Workers spin on it for a while, then sleep; the caller wakes them
 * only if one sleeps. The caller spins on the number of finished workers, then sleeps too: endless spinning
 * collapses on a machine that is busy with something else.
 */
import { Module, type Code, type Local } from "./assembler.ts";
import { ARGUMENT_WORDS, SCRATCH_BYTES, type Target } from "./lowering.ts";

/** Byte addresses of words shared by all threads, a cache line each. Address 0 stays unused. */
export const CONTROL = {
  generation: 64,
  done: 128,
  /** Workers asleep in `loop`. */
  sleepers: 192,
  callerAsleep: 256,
  /** Table entry to call, then the number of threads; fixed while a dispatch runs. */
  slot: 320,
  threads: 324,
  /** Non-zero once a thread has trapped: nobody waits for it any more. */
  failed: 384,
  /** Written once: may thread 0 sleep? A browser's main thread may not. */
  callerMayWait: 448,
  /** Written once: turns of a spinning loop before a thread sleeps. */
  spins: 452,
  /** Calls of the kernel in one dispatch, and where their argument blocks lie, one after the other. */
  calls: 512,
  blocks: 516,
} as const;

/** Where the argument block of a single call lies. */
export const ARGUMENTS = 1024;
/** Bytes of an argument block. */
export const BLOCK_BYTES = ARGUMENT_WORDS * 4;
const SCRATCH = ARGUMENTS + BLOCK_BYTES;

/** Scratch of a thread. */
export const scratchOf = (thread: number): number => SCRATCH + thread * SCRATCH_BYTES;

/** The slot that asks workers to leave their loop and take messages. */
export const LEAVE = -1;

/** What `dispatch` and `wait` return. */
export const STATUS = { finished: 0, waiting: 1, failed: 2 } as const;

/** How long a thread spins before it sleeps, in microseconds; to be woken takes 30 to 50. */
export const SPIN_MICROSECONDS = 40;
/** A sleeping thread looks around this often, in nanoseconds, in case another has died. */
const LOOK_AROUND = 500_000_000;

const loadAt = (code: Code, address: number): Code => code.i32(0).memory("i32.atomic.load", address);
const storeAt = (code: Code, address: number, value: number): Code =>
  code.i32(0).i32(value).memory("i32.atomic.store", address);
const addAt = (code: Code, address: number, value: number): Code =>
  code.i32(0).i32(value).memory("i32.atomic.rmw.add", address);
const notifyAt = (code: Code, address: number): Code =>
  code.i32(0).i32(-1).memory("memory.atomic.notify", address).op("drop");
const waitAt = (code: Code, address: number, expected: Local, nanoseconds: number): Code =>
  code.i32(0).get(expected).i64(nanoseconds).memory("memory.atomic.wait32", address).op("drop");

/** Spins for a while as long as `condition` (leaving an i32) holds. */
function spinWhile(code: Code, condition: () => void): void {
  const left = code.local("i32");
  loadAt(code, CONTROL.spins).set(left);
  code.block(() =>
    code.loop(() => {
      condition();
      code.op("i32.eqz").brIf(1);
      code.get(left).i32(1).op("i32.sub").tee(left).brIf(0);
    }),
  );
}

/**
 * Calls table entry `slot` with (part, threads, arguments, scratch) for every call of the dispatch. The part a thread
 * takes moves on by one from call to call, so that what does not divide evenly, or is too small to divide, does not
 * always fall to the first thread.
 */
function callSlot(module: Module, code: Code, thread: () => void, slot: () => void): void {
  const call = code.local("i32");
  const calls = code.local("i32");
  code.i32(0).set(call);
  loadAt(code, CONTROL.calls).set(calls);
  code.while(
    () => code.get(call).get(calls).op("i32.lt_s"),
    () => {
      thread();
      code.get(call).op("i32.add");
      loadAt(code, CONTROL.threads).op("i32.rem_u");
      loadAt(code, CONTROL.threads);
      loadAt(code, CONTROL.blocks).get(call).i32(BLOCK_BYTES).op("i32.mul").op("i32.add");
      thread();
      code.i32(SCRATCH_BYTES).op("i32.mul").i32(SCRATCH).op("i32.add");
      slot();
      code.callIndirect(module.type(["i32", "i32", "i32", "i32"]));
      code.get(call).i32(1).op("i32.add").set(call);
    },
  );
}

/**
 * The module that every thread instantiates with its own table: `loop(thread, seen)`, `dispatch(slot, threads,
 * calls, blocks)`, `wait()`, and `spin()`, to time it.
 */
export function controlModule(target: Target): Uint8Array<ArrayBuffer> {
  const { maximumPages, shared } = target;
  const module = new Module({ maximumPages, shared, table: true });
  defineLoop(module);
  module.function([], [], "spin", (code) => spinWhile(code, () => code.i32(1)));
  const wait = defineWait(module);
  module.function(["i32", "i32", "i32", "i32"], ["i32"], "dispatch", (code, slot, threads, calls, blocks) => {
    code.i32(0).get(threads).memory("i32.atomic.store", CONTROL.threads);
    code.i32(0).get(calls).memory("i32.atomic.store", CONTROL.calls);
    code.i32(0).get(blocks).memory("i32.atomic.store", CONTROL.blocks);
    code
      .get(threads)
      .i32(1)
      .op("i32.gt_s")
      .if(() => {
        storeAt(code, CONTROL.done, 0);
        code.i32(0).get(slot).memory("i32.atomic.store", CONTROL.slot);
        addAt(code, CONTROL.generation, 1).op("drop");
        loadAt(code, CONTROL.sleepers).if(() => notifyAt(code, CONTROL.generation));
      });
    code
      .get(slot)
      .i32(0)
      .op("i32.ge_s")
      .if(() =>
        callSlot(
          module,
          code,
          () => code.i32(0),
          () => code.get(slot),
        ),
      );
    code.call(wait);
  });
  return module.encode();
}

function defineLoop(module: Module): void {
  module.function(["i32", "i32"], ["i32"], "loop", (code, thread, seen) => {
    const unchanged = () => loadAt(code, CONTROL.generation).get(seen).op("i32.eq");
    code.loop(() => {
      spinWhile(code, unchanged);
      unchanged();
      code.if(() => {
        addAt(code, CONTROL.sleepers, 1).op("drop");
        waitAt(code, CONTROL.generation, seen, -1);
        addAt(code, CONTROL.sleepers, -1).op("drop").br(1);
      });
      loadAt(code, CONTROL.generation).set(seen);
      loadAt(code, CONTROL.slot).i32(0).op("i32.lt_s");
      code.if(() => code.get(seen).op("return"));
      callSlot(
        module,
        code,
        () => code.get(thread),
        () => loadAt(code, CONTROL.slot),
      );
      addAt(code, CONTROL.done, 1).op("drop");
      loadAt(code, CONTROL.callerAsleep).if(() => notifyAt(code, CONTROL.done));
      code.br(0);
    });
    code.op("unreachable");
  });
}

/**
 * Waits for the workers: finished, failed, or still waiting after a while (the host may look after them, then
 * wait again).
 */
function defineWait(module: Module) {
  return module.function([], ["i32"], "wait", (code) => {
    const done = code.local("i32");
    const others = code.local("i32");
    loadAt(code, CONTROL.threads).i32(1).op("i32.sub").set(others);
    const missing = () => loadAt(code, CONTROL.done).tee(done).get(others).op("i32.lt_s");
    spinWhile(code, missing);
    missing();
    code.if(() => {
      loadAt(code, CONTROL.callerMayWait).if(() => {
        storeAt(code, CONTROL.callerAsleep, 1);
        missing();
        code.if(() => waitAt(code, CONTROL.done, done, LOOK_AROUND));
        storeAt(code, CONTROL.callerAsleep, 0);
      });
      code.i32(STATUS.failed).i32(STATUS.waiting);
      loadAt(code, CONTROL.failed).op("select").op("return");
    });
    code.i32(STATUS.failed).i32(STATUS.finished);
    loadAt(code, CONTROL.failed).op("select");
  });
}
