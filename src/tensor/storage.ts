/** Memory of a tensor, and who gives it back. */
import type { Backend, Buffer, BufferSlice } from "../kernels/backend.ts";

/** Thrown when a tensor is used whose memory has been given back. */
export class FreedTensorError extends Error {
  override name = "FreedTensorError";
}

/** One buffer of a backend. Tensors that are views of each other share it. */
export class Storage {
  readonly bytes: number;
  private readonly backend: Backend;
  private buffer: Buffer | null;

  constructor(backend: Backend, bytes: number) {
    this.backend = backend;
    this.bytes = bytes;
    this.buffer = backend.allocate(bytes);
  }

  get freed(): boolean {
    return this.buffer === null;
  }

  /** Gives the memory back; a second time does nothing. */
  free(): void {
    if (this.buffer) this.backend.free(this.buffer);
    this.buffer = null;
  }

  /**
   * @throws FreedTensorError after `free`, which the end of a step and `backward` call for what they own.
   */
  slice(offset = 0): BufferSlice {
    if (!this.buffer) {
      throw new FreedTensorError(
        "logrung: this tensor's memory was freed (by the end of its step, or by backward): read it before, or keep() it",
      );
    }
    return { buffer: this.buffer, offset };
  }
}

/**
 * The step arena: remembers what a step allocates and frees what is left of it at the step's end. The backend
 * hands the same blocks out again, so a training loop reaches its peak in the first step.
 */
export class Arena {
  private readonly storages = new Set<Storage>();

  own(storage: Storage): Storage {
    this.storages.add(storage);
    return storage;
  }

  /** Bytes of all that it owns now. */
  get bytes(): number {
    let sum = 0;
    for (const { bytes } of this.storages) sum += bytes;
    return sum;
  }

  /** Frees one storage early. */
  release(storage: Storage): void {
    if (this.storages.delete(storage)) storage.free();
  }

  /** Lets go of a storage without freeing it: it outlives the step. */
  disown(storage: Storage): void {
    this.storages.delete(storage);
  }

  freeAll(): void {
    for (const storage of this.storages) storage.free();
    this.storages.clear();
  }
}
