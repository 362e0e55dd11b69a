/** The backend's one linear memory, and the allocator in it. */
import type { Buffer, BufferSlice, MemoryUse } from "../backend.ts";

export const PAGE_BYTES = 65_536;
/** Vector kernels may read this far past the end of any buffer. */
export const PADDING_BYTES = 64;
const ALIGNMENT = 64;

/** A piece of wasm memory. */
export class WasmBuffer implements Buffer {
  readonly bytes: number;
  readonly address: number;
  /** Bytes taken from the heap: the size of its class. */
  readonly block: number;
  freed = false;
  constructor(bytes: number, address: number, block: number) {
    this.bytes = bytes;
    this.address = address;
    this.block = block;
  }
}

/**
 * The size a block is rounded up to: multiples of 64 bytes up to 512, then eight sizes an octave, so at most
 * an eighth is wasted and buffers of a training step find the very blocks that the step before gave back.
 */
export function blockSize(bytes: number): number {
  const needed = Math.max(bytes, 1) + PADDING_BYTES;
  const step = Math.max(ALIGNMENT, 2 ** (Math.floor(Math.log2(needed)) - 3));
  return Math.ceil(needed / step) * step;
}

/**
 * A growing WebAssembly memory with an allocator: blocks come from lists by size, else from the end.
 * Addresses are multiples of 64. Nothing is merged, so a steady workload neither grows nor fragments.
 */
export class Heap implements MemoryUse {
  readonly memory: WebAssembly.Memory;
  readonly maximumPages: number;
  bytes = 0;
  peakBytes = 0;
  private end: number;
  private readonly free = new Map<number, number[]>();
  private readonly live = new Set<WasmBuffer>();

  /**
   * @param maximumBytes  the most it may ever grow to; what the host refuses to reserve is halved until it
   * agrees.
   * @param start         first address of the heap; what lies below is the caller's.
   */
  constructor(maximumBytes: number, start: number, shared: boolean) {
    const initial = Math.ceil(start / PAGE_BYTES) + 1;
    this.maximumPages = Math.max(initial, Math.min(65_536, Math.floor(maximumBytes / PAGE_BYTES)));
    for (;;) {
      try {
        this.memory = new WebAssembly.Memory({ initial, maximum: this.maximumPages, shared });
        break;
      } catch (error) {
        if (this.maximumPages === initial) throw error;
        this.maximumPages = Math.max(initial, this.maximumPages >>> 1);
      }
    }
    this.end = Math.ceil(start / ALIGNMENT) * ALIGNMENT;
  }

  /** @throws RangeError when `bytes` is no count or there is no more memory. */
  allocate(bytes: number): WasmBuffer {
    if (!Number.isSafeInteger(bytes) || bytes < 0)
      throw new RangeError(`logrung: allocate of ${bytes} bytes, wants a count`);
    const block = blockSize(bytes);
    const buffer = this.recycled(bytes, block) ?? this.fresh(bytes, block) ?? this.larger(bytes, block);
    if (!buffer) throw this.exhausted(bytes);
    this.live.add(buffer);
    this.bytes += bytes;
    this.peakBytes = Math.max(this.peakBytes, this.bytes);
    return buffer;
  }

  /** @throws Error when the buffer was freed before, TypeError when it is another backend's. */
  release(buffer: Buffer): void {
    const own = this.own(buffer);
    own.freed = true;
    this.live.delete(own);
    this.bytes -= own.bytes;
    const list = this.free.get(own.block);
    if (list) list.push(own.address);
    else this.free.set(own.block, [own.address]);
  }

  /** Address of a slice. @throws as `release` does. */
  address(slice: BufferSlice): number {
    return this.own(slice.buffer).address + slice.offset;
  }

  private own(buffer: Buffer): WasmBuffer {
    if (!(buffer instanceof WasmBuffer)) throw new TypeError("logrung: the buffer is another backend's");
    if (buffer.freed) throw new Error("logrung: the buffer was freed");
    if (!this.live.has(buffer)) throw new TypeError("logrung: the buffer is another backend's");
    return buffer;
  }

  private recycled(bytes: number, block: number): WasmBuffer | undefined {
    const address = this.free.get(block)?.pop();
    return address === undefined ? undefined : new WasmBuffer(bytes, address, block);
  }

  private fresh(bytes: number, block: number): WasmBuffer | undefined {
    const end = this.end + block;
    if (end > this.maximumPages * PAGE_BYTES || !this.reach(end)) return undefined;
    const buffer = new WasmBuffer(bytes, this.end, block);
    this.end = end;
    return buffer;
  }

  /** The last resort: the smallest free block that is larger. */
  private larger(bytes: number, block: number): WasmBuffer | undefined {
    const fitting = [...this.free].filter(([size, list]) => size > block && list.length > 0);
    const smallest = Math.min(...fitting.map(([size]) => size));
    return this.recycled(bytes, smallest);
  }

  /** Grows by a quarter at least, so that growing is rare. */
  private reach(end: number): boolean {
    const pages = this.memory.buffer.byteLength / PAGE_BYTES;
    const missing = Math.ceil(end / PAGE_BYTES) - pages;
    if (missing <= 0) return true;
    const wanted = Math.min(Math.max(missing, pages >>> 2), this.maximumPages - pages);
    return this.grow(wanted) || (wanted > missing && this.grow(missing));
  }

  private grow(pages: number): boolean {
    try {
      this.memory.grow(pages);
      return true;
    } catch {
      return false;
    }
  }

  private exhausted(bytes: number): RangeError {
    const limit = this.maximumPages * PAGE_BYTES;
    return new RangeError(
      `logrung: no memory for ${bytes} bytes: ${this.bytes} of at most ${limit} are held by buffers ` +
        "(raise maximumBytes, or use a smaller batch)",
    );
  }
}
