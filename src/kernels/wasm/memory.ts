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
  /** Bytes taken from the heap. */
  readonly block: number;
  freed = false;
  constructor(bytes: number, address: number, block: number) {
    this.bytes = bytes;
    this.address = address;
    this.block = block;
  }
}

/** The size a block is rounded up to: so much more that kernels may read past the end, and whole cache lines. */
export function blockSize(bytes: number): number {
  return Math.ceil((bytes + PADDING_BYTES) / ALIGNMENT) * ALIGNMENT;
}

/** What nobody holds, from an address on. */
interface Gap {
  address: number;
  size: number;
}

/**
 * A growing WebAssembly memory with an allocator: the smallest gap that is large enough, else the end. Gaps that touch
 * become one. Addresses are multiples of 64. A training step gives back all that it took, and so finds the gaps of the step
 * before: it neither grows nor fragments.
 */
export class Heap implements MemoryUse {
  readonly memory: WebAssembly.Memory;
  readonly maximumPages: number;
  bytes = 0;
  peakBytes = 0;
  /** How far buffers have reached at most: what of the memory was ever touched, gaps between buffers included. */
  reached: number;
  private end: number;
  /** By address. None lies at the end. */
  private readonly gaps: Gap[] = [];
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
    this.reached = this.end;
  }

  /** @throws RangeError when `bytes` is no count or there is no more memory. */
  allocate(bytes: number): WasmBuffer {
    if (!Number.isSafeInteger(bytes) || bytes < 0)
      throw new RangeError(`logrung: allocate of ${bytes} bytes, wants a count`);
    const block = blockSize(bytes);
    const address = this.fromGap(block) ?? this.fromEnd(block);
    if (address === undefined) throw this.exhausted(bytes);
    const buffer = new WasmBuffer(bytes, address, block);
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
    this.giveBack(own);
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

  private fromGap(block: number): number | undefined {
    let best = -1;
    for (let i = 0; i < this.gaps.length; i++) {
      const { size } = this.gaps[i];
      if (size >= block && (best < 0 || size < this.gaps[best].size)) best = i;
    }
    if (best < 0) return undefined;
    const gap = this.gaps[best];
    const { address } = gap;
    gap.address += block;
    gap.size -= block;
    if (gap.size === 0) this.gaps.splice(best, 1);
    return address;
  }

  private fromEnd(block: number): number | undefined {
    const address = this.end;
    const end = address + block;
    if (end > this.maximumPages * PAGE_BYTES || !this.reach(end)) return undefined;
    this.end = end;
    this.reached = Math.max(this.reached, end);
    return address;
  }

  private giveBack({ address, block }: WasmBuffer): void {
    const { gaps } = this;
    const at = this.firstGapAfter(address);
    const before = at > 0 ? gaps[at - 1] : null;
    const after = at < gaps.length ? gaps[at] : null;
    const joinsAfter = after !== null && after.address === address + block;
    if (before !== null && before.address + before.size === address) {
      before.size += block + (joinsAfter ? after.size : 0);
      if (joinsAfter) gaps.splice(at, 1);
    } else if (joinsAfter) {
      after.address = address;
      after.size += block;
    } else gaps.splice(at, 0, { address, size: block });
    const last = gaps[gaps.length - 1];
    if (last.address + last.size !== this.end) return;
    this.end = last.address;
    gaps.pop();
  }

  /** The place in the list, by halving. */
  private firstGapAfter(address: number): number {
    let from = 0;
    let to = this.gaps.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.gaps[middle].address > address) to = middle;
      else from = middle + 1;
    }
    return from;
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
        "(wants a smaller batch; in a program, maximumBytes may be up to 2 ** 32)",
    );
  }
}
