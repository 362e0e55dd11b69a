/** Runs a lowering in the calling thread, without the runtime: for tests of the lowerings by themselves. */
import type { BufferSlice, Call, HostArray, Kernel } from "../../src/kernels/backend.ts";
import {
  ARGUMENT_WORDS,
  SCRATCH_BYTES,
  type Lowering,
  type Target,
} from "../../src/kernels/wasm/lowering.ts";

const PAGES = 64;
const ARGUMENTS = 1024;
const SCRATCH = 4096;
const HEAP = SCRATCH + 4 * SCRATCH_BYTES;

/** Without fused multiply-add, so that results can be compared bit by bit. */
export const plainTarget: Target = {
  relaxedSimd: false,
  revectorize: false,
  shared: true,
  maximumPages: PAGES,
};

/** A kernel in a memory of its own; `run` gives the outputs as they lie in memory. */
export class LoweredRun {
  private readonly memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
  private next = HEAP;

  /** Places an array; buffers lie 64 bytes apart at least. */
  place(array: HostArray): BufferSlice {
    if (this.next + array.byteLength + 64 > PAGES * 65536) throw new RangeError("the test's memory is full");
    const offset = this.next;
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    new Uint8Array(this.memory.buffer).set(bytes, offset);
    this.next = (offset + array.byteLength + 128) & ~63;
    return { buffer: { bytes: array.byteLength }, offset };
  }

  /** The bytes of a slice and of the 64 after it. */
  bytes(slice: BufferSlice): Uint8Array {
    return new Uint8Array(this.memory.buffer).slice(slice.offset, slice.offset + slice.buffer.bytes + 64);
  }

  /** Runs a kernel as `threads` threads would, one after another. */
  run<K extends Kernel>(lower: Lowering<K>, kernel: K, call: Call, threads = 1, target = plainTarget): void {
    const lowered = lower(kernel, target);
    const constants = this.place(lowered.constants);
    const words = new Int32Array(this.memory.buffer, ARGUMENTS, ARGUMENT_WORDS);
    const floats = new Float32Array(this.memory.buffer, ARGUMENTS, ARGUMENT_WORDS);
    words[0] = constants.offset;
    lowered.encode(call, ({ offset }) => offset, { words, floats }, threads);
    const module = new WebAssembly.Module(lowered.module);
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.memory } });
    const run = exports.run as (thread: number, threads: number, words: number, scratch: number) => void;
    for (let thread = 0; thread < threads; thread++)
      run(thread, threads, ARGUMENTS, SCRATCH + thread * SCRATCH_BYTES);
  }
}
