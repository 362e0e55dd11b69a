/** The wasm backend: kernels assembled here, run on threads over one memory. */
import type { Backend, Buffer, BufferSlice, Call, Executable, HostArray, Kernel } from "../backend.ts";
import type { StorageType } from "../program.ts";
import { storageBytes } from "../program.ts";
import { checkCall } from "../validate.ts";
import { calibrate, type Calibration } from "./calibrate.ts";
import { ARGUMENTS, BLOCK_BYTES, scratchOf } from "./control.ts";
import { describe, describeBlocks, type BlockKernel, type WasmInfo } from "./describe.ts";
import { probeEngine, type Engine } from "./engine.ts";
import { attentionLowering } from "./attention.ts";
import { lowerColumns } from "./columns.ts";
import { lowerGather } from "./gather.ts";
import { gemmLowering } from "./gemm.ts";
import { ARGUMENT_WORDS, type Arguments, type Lowered, type Lowering, type Target } from "./lowering.ts";
import { Heap, type WasmBuffer } from "./memory.ts";
import { MxCalibration } from "./mx-calibrate.ts";
import { mxGemmLowering } from "./mx-gemm.ts";
import { lowerPointwise } from "./pointwise.ts";
import { Pool } from "./pool.ts";
import { lowerRows } from "./rows.ts";

export { describeEngine, type BlockKernel, type WasmInfo } from "./describe.ts";
export { WorkerError } from "./worker.ts";

export interface WasmOptions {
  /** Threads, the caller included. Default: all processors; 1 where memory cannot be shared. */
  readonly threads?: number;
  /** The most that memory may grow to. Default 4 GiB, the limit of 32-bit addresses. */
  readonly maximumBytes?: number;
  /** Switches engine features off (or claims them), for tests. Default: what is found. */
  readonly features?: Partial<Pick<Target, "relaxedSimd" | "revectorize" | "shared">>;
  /** The gemm micro-kernel, by name, for tests and measurements. Default: the fastest here. */
  readonly microKernel?: string;
  /** The micro-kernel of integer blocks, by name, for those mx-gemm kernels it can compute; for tests. */
  readonly mxMicroKernel?: string;
}

/**
 * Kernels cheaper than this, in microseconds on one thread, are not worth another thread that is spinning …
 */
const WORTH_SHARING = 8;
/** … or asleep: waking takes about 30 µs. */
const WORTH_WAKING = 40;

type Lowerings = { readonly [S in Kernel["shape"]]: Lowering<Extract<Kernel, { shape: S }>> };

/**
 * Makes a wasm backend: probes the engine, tests and times the gemm kernels (about 10 ms), starts the threads
 * (about 30 ms). Results depend neither on the number of threads nor on the kernel chosen among those with
 * fused multiply-add.
 *
 * @throws RangeError when `threads` is no count of at least 1; WorkerError when a thread does not start.
 * @example const backend = await createWasmBackend({ threads: 2 });
 */
export async function createWasmBackend(options: WasmOptions = {}): Promise<Backend & WasmExtras> {
  const { features = {}, maximumBytes = 2 ** 32 } = options;
  const engine = probeEngine(features.revectorize);
  const { threads: wanted = engine.processors } = options;
  if (!Number.isSafeInteger(wanted) || wanted < 1 || wanted > MAXIMUM_THREADS)
    throw new RangeError(`logrung: threads is ${wanted}, wants 1 to ${MAXIMUM_THREADS}`);
  const shared = features.shared ?? engine.shared;
  const threads = shared ? wanted : 1;
  const relaxedSimd = features.relaxedSimd ?? engine.relaxedSimd;
  const calibration = choose(calibrate(engine, relaxedSimd), options.microKernel);
  const mxCalibration = new MxCalibration(engine, options.mxMicroKernel);
  const heap = new Heap(maximumBytes, scratchOf(threads), shared);
  const revectorize = features.revectorize ?? (engine.revectorize && calibration.wide);
  const target: Target = { relaxedSimd, revectorize, shared, maximumPages: heap.maximumPages };
  const pool = await Pool.start(heap.memory, threads, target, engine.compile);
  return new WasmBackend(engine, calibration, mxCalibration, target, heap, pool);
}

const MAXIMUM_THREADS = 64;

/** @throws RangeError when the micro-kernel asked for does not exist or does not work here. */
function choose(calibration: Calibration, name: string | undefined): Calibration {
  if (name === undefined) return calibration;
  const chosen = calibration.candidates.find(({ variant }) => variant.name === name);
  if (chosen) return { ...calibration, chosen };
  const known = calibration.candidates.map(({ variant }) => variant.name).join(", ");
  throw new RangeError(`logrung: unknown micro-kernel "${name}" (known here: ${known})`);
}

/** What a wasm backend tells of itself. */
export interface WasmExtras {
  readonly info: WasmInfo;
  /** The micro-kernels of block formats whose elements are small integers; times those that no kernel has asked for yet. */
  blockKernels(): readonly BlockKernel[];
}

interface Compiled extends Executable {
  readonly lowered: Lowered;
  readonly slot: number;
  readonly constants: number;
}

type ArrayOver = new (buffer: ArrayBufferLike, at?: number, length?: number) => HostArray;

const HOST_ARRAYS: Readonly<Record<StorageType, ArrayOver>> = {
  f32: Float32Array, bf16: Uint16Array, f16: Uint16Array, u8: Uint8Array, i8: Int8Array, u16: Uint16Array,
  i32: Int32Array, u32: Uint32Array,
}; // prettier-ignore

class WasmBackend implements Backend, WasmExtras {
  readonly name = "wasm";
  readonly info: WasmInfo;
  private readonly engine: Engine;
  private readonly mxCalibration: MxCalibration;
  private readonly target: Target;
  private readonly heap: Heap;
  private readonly pool: Pool;
  private readonly lowerings: Lowerings;
  private readonly compiled = new WeakMap<Kernel, Compiled>();
  private readonly address = (slice: BufferSlice): number => this.heap.address(slice);
  private arguments: Arguments;
  private workspace: WasmBuffer | null = null;
  private blocks: WasmBuffer | null = null;

  constructor(
    engine: Engine,
    calibration: Calibration,
    mxCalibration: MxCalibration,
    target: Target,
    heap: Heap,
    pool: Pool,
  ) {
    this.engine = engine;
    this.mxCalibration = mxCalibration;
    this.target = target;
    this.heap = heap;
    this.pool = pool;
    this.info = describe(engine, target, calibration, pool.threads);
    const { variant, gflops } = calibration.chosen;
    this.lowerings = {
      pointwise: lowerPointwise,
      rows: lowerRows,
      columns: lowerColumns,
      gather: lowerGather,
      gemm: gemmLowering(variant, gflops),
      "mx-gemm": mxGemmLowering(mxCalibration, calibration.chosen),
      attention: attentionLowering(variant, gflops),
    };
    this.arguments = argumentViews(heap.memory.buffer, ARGUMENTS);
  }

  blockKernels(): readonly BlockKernel[] {
    return describeBlocks(this.mxCalibration, this.target.relaxedSimd);
  }

  get memory() {
    return this.heap;
  }

  allocate(bytes: number): Buffer {
    return this.heap.allocate(bytes);
  }

  free(buffer: Buffer): void {
    this.heap.release(buffer);
  }

  write(target: BufferSlice, data: HostArray): void {
    const source = data instanceof Float64Array ? Float32Array.from(data) : data;
    this.bytes(target, source.byteLength).set(
      new Uint8Array(source.buffer, source.byteOffset, source.byteLength),
    );
  }

  async read(source: BufferSlice, storage: StorageType, length: number): Promise<HostArray> {
    // A copy of its own, not a view: memory may be shared, and grows.
    const { buffer } = this.bytes(source, length * storageBytes[storage]).slice();
    return new HOST_ARRAYS[storage](buffer);
  }

  async readInto(source: BufferSlice, storage: StorageType, target: HostArray): Promise<void> {
    const { buffer, byteOffset } = this.bytes(source, target.length * storageBytes[storage]);
    target.set(new HOST_ARRAYS[storage](buffer, byteOffset, target.length));
  }

  compile(kernel: Kernel): Executable {
    const known = this.compiled.get(kernel);
    if (known) return known;
    const lower = this.lowerings[kernel.shape] as Lowering<Kernel>;
    const lowered = lower(kernel, this.target);
    const slot = this.pool.install(this.engine.compile(lowered.module));
    const compiled: Compiled = { kernel, lowered, slot, constants: this.place(lowered.constants) };
    this.compiled.set(kernel, compiled);
    return compiled;
  }

  run(executable: Executable, call: Call): void {
    const compiled = this.own(executable);
    checkCall(compiled.kernel, call);
    const { lowered, slot, constants } = compiled;
    const threads = this.threadsFor(lowered.cost(call));
    const workspace = this.workspaceOf(lowered.workspace?.(call, threads) ?? 0);
    const views = this.currentArguments();
    views.words[0] = constants | 0;
    views.words[1] = workspace | 0;
    lowered.encode(call, this.address, views, threads);
    this.pool.dispatch(slot, threads);
  }

  /** Kernels with a workspace (gemm) share it, so their calls run one after the other. */
  runAll(executable: Executable, calls: readonly Call[]): void {
    const compiled = this.own(executable);
    for (const call of calls) checkCall(compiled.kernel, call);
    const { lowered, slot, constants } = compiled;
    if (calls.length === 0) return;
    if (lowered.workspace) {
      for (const call of calls) this.run(executable, call);
      return;
    }
    const threads = this.threadsFor(calls.reduce((sum, call) => sum + lowered.cost(call), 0));
    const first = this.blocksFor(calls.length);
    const { buffer } = this.heap.memory;
    calls.forEach((call, i) => {
      const views = argumentViews(buffer, first + i * BLOCK_BYTES);
      views.words[0] = constants | 0;
      lowered.encode(call, this.address, views, threads);
    });
    this.pool.dispatch(slot, threads, calls.length, first);
  }

  async close(): Promise<void> {
    await this.pool.close();
  }

  /** @throws TypeError when another backend compiled it. */
  private own(executable: Executable): Compiled {
    const compiled = this.compiled.get(executable.kernel);
    if (compiled !== executable || compiled === undefined)
      throw new TypeError(`logrung: kernel "${executable.kernel.name}" was compiled by another backend`);
    return compiled;
  }

  /** Argument blocks of a dispatch of many calls; they stay for the next one. */
  private blocksFor(calls: number): number {
    const bytes = calls * BLOCK_BYTES;
    if (!this.blocks || this.blocks.bytes < bytes) {
      if (this.blocks) this.heap.release(this.blocks);
      this.blocks = null;
      this.blocks = this.heap.allocate(bytes);
    }
    return this.blocks.address;
  }

  /** All threads, or the caller alone where waking the others costs more than they would save. */
  private threadsFor(cost: number): number {
    const { pool } = this;
    if (pool.threads === 1 || cost < WORTH_SHARING) return 1;
    if (pool.awake || cost >= WORTH_WAKING) return pool.threads;
    pool.nudge();
    return 1;
  }

  /** Workspace of at least so many bytes; it stays for the next run, and grows by half at least. */
  private workspaceOf(bytes: number): number {
    if (bytes === 0) return 0;
    if (!this.workspace || this.workspace.bytes < bytes) {
      const grown = Math.max(bytes, (this.workspace?.bytes ?? 0) * 1.5);
      if (this.workspace) this.heap.release(this.workspace);
      this.workspace = null;
      this.workspace = this.heap.allocate(Math.ceil(grown));
    }
    return this.workspace.address;
  }

  private place(constants: Uint8Array): number {
    if (constants.length === 0) return 0;
    const buffer = this.heap.allocate(constants.length);
    this.bytes({ buffer, offset: 0 }, constants.length).set(constants);
    return buffer.address;
  }

  /** A view of the bytes of a slice. */
  private bytes(slice: BufferSlice, length: number): Uint8Array<ArrayBufferLike> {
    const address = this.heap.address(slice);
    if (slice.offset + length > slice.buffer.bytes || slice.offset < 0)
      throw new RangeError(
        `logrung: ${length} bytes at ${slice.offset} of a buffer of ${slice.buffer.bytes} bytes`,
      );
    return new Uint8Array(this.heap.memory.buffer, address, length);
  }

  /** The argument block. An unshared memory leaves its old buffer behind when it grows. */
  private currentArguments(): Arguments {
    if (this.arguments.words.length === 0) this.arguments = argumentViews(this.heap.memory.buffer, ARGUMENTS);
    return this.arguments;
  }
}

const argumentViews = (buffer: ArrayBufferLike, address: number): Arguments => ({
  words: new Int32Array(buffer, address, ARGUMENT_WORDS),
  floats: new Float32Array(buffer, address, ARGUMENT_WORDS),
});
