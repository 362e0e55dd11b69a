/** Threads that run wasm kernels together: the caller is thread 0, the others loop inside wasm. */
import { ARGUMENTS, CONTROL, LEAVE, SPIN_MICROSECONDS, STATUS, controlModule } from "./control.ts";
import type { Target } from "./lowering.ts";
import { builtin } from "./host.ts";
import { WorkerError, startThread, type Thread } from "./worker.ts";
import { workerSource, type PlacedModule, type StartMessage } from "./worker-source.ts";

interface ControlExports {
  readonly dispatch: (slot: number, threads: number, calls: number, blocks: number) => number;
  readonly wait: () => number;
  readonly spin: () => void;
}

/** A table of compiled kernels, and the threads that call them. */
export class Pool {
  readonly threads: number;
  private readonly memory: WebAssembly.Memory;
  private readonly words: Int32Array;
  private readonly table: WebAssembly.Table;
  private readonly control: ControlExports;
  private readonly others: Thread[] = [];
  private slots = 0;
  /** Modules that the other threads do not have yet. */
  private pending: PlacedModule[] = [];
  private broken: Error | null = null;

  private constructor(memory: WebAssembly.Memory, threads: number, control: WebAssembly.Module) {
    this.memory = memory;
    this.threads = threads;
    this.words = new Int32Array(memory.buffer, 0, 256);
    this.words[CONTROL.callerMayWait / 4] = callerMayWait() ? 1 : 0;
    this.table = new WebAssembly.Table({ initial: 64, element: "anyfunc" });
    const { exports } = new WebAssembly.Instance(control, { env: { memory, table: this.table } });
    this.control = exports as unknown as ControlExports;
    if (threads > 1) this.timeSpinning();
  }

  /**
   * @param compile  turns module bytes into a module, under the engine's flags.
   * @throws WorkerError when a worker does not start.
   */
  static async start(
    memory: WebAssembly.Memory,
    threads: number,
    target: Target,
    compile: (bytes: Uint8Array<ArrayBuffer>) => WebAssembly.Module,
  ): Promise<Pool> {
    const control = compile(controlModule(target));
    const pool = new Pool(memory, threads, control);
    const starting = Array.from({ length: threads - 1 }, (_, i) => {
      const message: StartMessage = { thread: i + 1, memory, control };
      return startThread(workerSource, message);
    });
    pool.others.push(...(await Promise.all(starting)));
    return pool;
  }

  /** Takes a kernel's module into the table of every thread; the others get it with the next dispatch. */
  install(module: WebAssembly.Module): number {
    const slot = this.slots++;
    while (slot >= this.table.length) this.table.grow(this.table.length);
    const instance = new WebAssembly.Instance(module, { env: { memory: this.memory } });
    this.table.set(slot, instance.exports.run);
    if (this.threads > 1) this.pending.push({ slot, module });
    return slot;
  }

  /** True while the other threads are spinning, ready to begin within a microsecond. */
  get awake(): boolean {
    return this.threads > 1 && Atomics.load(this.words, CONTROL.sleepers / 4) === 0;
  }

  /** Wakes the other threads without work, for the sake of what comes next. */
  nudge(): void {
    Atomics.notify(this.words, CONTROL.generation / 4);
  }

  /**
   * Runs a kernel on `threads` threads (one, or all) and returns when all are done.
   *
   * @param calls  how often, with argument blocks that lie one after the other from `blocks` on.
   * @throws WorkerError when another thread failed; the pool is of no use afterwards.
   */
  dispatch(slot: number, threads: number, calls = 1, blocks: number = ARGUMENTS): void {
    if (this.broken) throw this.broken;
    if (threads > 1 && this.pending.length > 0) this.send();
    this.complete(slot, threads, calls, blocks);
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    this.broken ??= new Error("logrung: the backend was closed");
    await Promise.all(this.others.splice(0).map((thread) => thread.terminate()));
  }

  /** Finds how many turns take {@link SPIN_MICROSECONDS}. */
  private timeSpinning(): void {
    const at = CONTROL.spins / 4;
    this.words[at] = TIMED_SPINS;
    const times = Array.from({ length: 3 }, () => {
      const start = performance.now();
      this.control.spin();
      return (performance.now() - start) * 1000;
    });
    this.words[at] = (TIMED_SPINS * SPIN_MICROSECONDS) / Math.max(1, Math.min(...times));
  }

  private send(): void {
    for (const thread of this.others) thread.post(this.pending);
    this.pending = [];
    this.complete(LEAVE, this.threads);
  }

  private complete(slot: number, threads: number, calls = 0, blocks = 0): void {
    let status: number;
    try {
      status = this.control.dispatch(slot, threads, calls, blocks);
      while (status === STATUS.waiting) {
        if (this.others.some((thread) => thread.ended())) status = STATUS.failed;
        else status = this.control.wait();
      }
    } catch (error) {
      this.fail(new WorkerError("logrung: a kernel trapped", { cause: error }));
    }
    if (status === STATUS.failed) this.fail(new WorkerError("logrung: a worker thread failed or ended"));
  }

  private fail(error: Error): never {
    Atomics.store(this.words, CONTROL.failed / 4, 1);
    this.broken = error;
    throw error;
  }
}

/** Turns that take about 0.1 ms. */
const TIMED_SPINS = 200_000;

/** A browser's main thread must not block on an atomic wait. */
function callerMayWait(): boolean {
  return builtin("node:worker_threads") !== undefined || typeof document === "undefined";
}
