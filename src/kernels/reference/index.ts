/**
 * The reference backend: interprets kernels in float64, or rounds to float32 at every step. The judge of the
 * others.
 */
import type { Backend, Buffer, BufferSlice, Call, Executable, HostArray, Kernel } from "../backend.ts";
import type { StorageType } from "../program.ts";
import { checkCall } from "../validate.ts";
import type { Precision } from "./arithmetic.ts";
import { prepareAttention } from "./attention.ts";
import type { Runner } from "./binding.ts";
import { prepareGemm } from "./gemm.ts";
import { prepareColumns, prepareGather, preparePointwise } from "./matrix.ts";
import { live, ReferenceBuffer } from "./memory.ts";
import { prepareMxGemm } from "./mx-gemm.ts";
import { prepareRows } from "./rows.ts";

/** What {@link createReferenceBackend} can be told. */
export interface ReferenceOptions {
  /**
   * `float64` (the default): f32 values are neither rounded while computed with nor when stored, and `read`
   * of f32 gives a Float64Array; this is what numerical differences need. `float32`: each operation rounds,
   * so a program without fma and transcendentals gives the bits every other backend gives.
   */
  readonly precision?: Precision;
}

/**
 * Makes a reference backend. Slow, exact, no threads.
 *
 * Uniforms and constants are float32 in both precisions, as on every backend. In float64 an f32 keeps its
 * double through stores and loads as long as nothing else overwrites its bytes.
 *
 * @example const judge = createReferenceBackend();
 * @example const machine = createReferenceBackend({ precision: "float32" });
 */
export function createReferenceBackend(options: ReferenceOptions = {}): Backend {
  return new ReferenceBackend(options.precision ?? "float64");
}

interface Prepared extends Executable {
  readonly runner: Runner;
}

class ReferenceBackend implements Backend {
  readonly name: string;
  readonly memory = { bytes: 0, peakBytes: 0 };
  private readonly precision: Precision;
  private readonly compiled = new WeakMap<Kernel, Prepared>();

  constructor(precision: Precision) {
    this.name = `reference-${precision}`;
    this.precision = precision;
  }

  allocate(bytes: number): Buffer {
    if (!Number.isSafeInteger(bytes) || bytes < 0)
      throw new RangeError(`logrung: allocate of ${bytes} bytes, wants a count`);
    const buffer = new ReferenceBuffer(bytes, this.precision);
    this.memory.bytes += bytes;
    this.memory.peakBytes = Math.max(this.memory.peakBytes, this.memory.bytes);
    return buffer;
  }

  free(buffer: Buffer): void {
    live({ buffer, offset: 0 }).freed = true;
    this.memory.bytes -= buffer.bytes;
  }

  write(target: BufferSlice, data: HostArray): void {
    live(target).write(target.offset, data);
  }

  async read(source: BufferSlice, storage: StorageType, length: number): Promise<HostArray> {
    return live(source).read(source.offset, storage, length);
  }

  async readInto(source: BufferSlice, storage: StorageType, target: HostArray): Promise<void> {
    target.set(live(source).read(source.offset, storage, target.length));
  }

  compile(kernel: Kernel): Executable {
    const known = this.compiled.get(kernel);
    if (known) return known;
    const prepared = { kernel, runner: prepare(kernel, this.precision) };
    this.compiled.set(kernel, prepared);
    return prepared;
  }

  run(executable: Executable, call: Call): void {
    this.runAll(executable, [call]);
  }

  runAll(executable: Executable, calls: readonly Call[]): void {
    const prepared = this.compiled.get(executable.kernel);
    if (!prepared || prepared !== executable)
      throw new TypeError(`logrung: kernel "${executable.kernel.name}" was compiled by another backend`);
    for (const call of calls) checkCall(prepared.kernel, call);
    for (const call of calls) prepared.runner(call);
  }

  async close(): Promise<void> {
    this.memory.bytes = 0;
  }
}

function prepare(kernel: Kernel, precision: Precision): Runner {
  switch (kernel.shape) {
    case "pointwise":
      return preparePointwise(kernel, precision);
    case "rows":
      return prepareRows(kernel, precision);
    case "columns":
      return prepareColumns(kernel, precision);
    case "gather":
      return prepareGather(kernel, precision);
    case "gemm":
      return prepareGemm(kernel, precision);
    case "mx-gemm":
      return prepareMxGemm(kernel, precision);
    case "attention":
      return prepareAttention(kernel, precision);
  }
}
