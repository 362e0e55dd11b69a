/** The whole contract of a backend: memory, compiling, running. */
import type { AttentionKernel, AttentionSizes } from "./attention.ts";
import type { ColumnsKernel } from "./columns.ts";
import type { GatherKernel } from "./gather.ts";
import type { GemmKernel, GemmSizes } from "./gemm.ts";
import type { MxGemmKernel, MxGemmSizes } from "./mx-gemm.ts";
import type { PointwiseKernel } from "./pointwise.ts";
import type { StorageType } from "./program.ts";
import type { RowsKernel } from "./rows.ts";

export type Kernel =
  | PointwiseKernel
  | RowsKernel
  | ColumnsKernel
  | GemmKernel
  | MxGemmKernel
  | GatherKernel
  | AttentionKernel;

/** A piece of a backend's memory. Only its backend looks inside. Aligned to 64 bytes at least. */
export interface Buffer {
  readonly bytes: number;
}

/** A buffer from a byte offset on; the offset is a multiple of the element size of what is read there. */
export interface BufferSlice {
  readonly buffer: Buffer;
  readonly offset: number;
}

export interface MatrixSizes {
  readonly outer?: number;
  readonly rows: number;
  readonly columns: number;
}

/** What one run of a kernel works on. A name may be left out of `outputs` where it equals an input's buffer. */
export interface Call {
  readonly inputs: Readonly<Record<string, BufferSlice>>;
  readonly outputs: Readonly<Record<string, BufferSlice>>;
  readonly uniforms?: Readonly<Record<string, number>>;
  readonly sizes: MatrixSizes | GemmSizes | MxGemmSizes | AttentionSizes;
}

/** A compiled kernel; belongs to the backend that made it. */
export interface Executable {
  readonly kernel: Kernel;
}

/** Elements of a buffer as a typed array; bf16 and f16 as their 16-bit patterns. */
export type HostArray =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

export interface MemoryUse {
  /** Bytes held by buffers now. */
  readonly bytes: number;
  /** The most ever held at once. */
  readonly peakBytes: number;
}

/**
 * A place where kernels run. Runs happen in the order they were asked for; `read` waits for all before it.
 *
 * - `allocate` gives memory of unspecified content. @throws RangeError when there is no more.
 * - `free` of a buffer twice, or use after it, throws.
 * - `write` copies bits: for bf16 and f16 the array holds 16-bit patterns.
 * - `readInto` copies as many elements as the array takes, which may be wider than they are: `read` piece by piece would leave
 *   an array behind for each.
 * - `run` throws TypeError when a buffer, uniform or size that the kernel declares is missing, and RangeError
 *   when a slice is too small for the sizes.
 * - `runAll` does one kernel's work on many tensors in one go, with the results of running call after call. No call may
 *   read or write what another one writes: backends share the work of all of them out at once. It throws as `run`,
 *   before anything is written.
 */
export interface Backend {
  readonly name: string;
  readonly memory: MemoryUse;
  allocate(bytes: number): Buffer;
  free(buffer: Buffer): void;
  write(target: BufferSlice, data: HostArray): void;
  read(source: BufferSlice, storage: StorageType, length: number): Promise<HostArray>;
  readInto(source: BufferSlice, storage: StorageType, target: HostArray): Promise<void>;
  /** The same kernel object gives the same executable: compiling is remembered. */
  compile(kernel: Kernel): Executable;
  run(executable: Executable, call: Call): void;
  runAll(executable: Executable, calls: readonly Call[]): void;
  /** Stops threads and gives memory back. */
  close(): Promise<void>;
}
