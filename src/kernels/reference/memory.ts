/** Buffers of the reference backend: bytes, and beside them, in float64, what its f32 words really hold. */
import type { Buffer, BufferSlice, HostArray } from "../backend.ts";
import { storageBytes, type StorageType } from "../program.ts";
import type { Precision } from "./arithmetic.ts";
import { fromBf16, fromF16, toBf16, toF16 } from "./narrow.ts";

/** Elements of a slice, as numbers of the loaded type. */
export interface View {
  /** Elements from the slice's start to the buffer's end. */
  readonly length: number;
  readonly load: (at: number) => number;
  readonly store: (at: number, value: number) => void;
}

const HOST_ARRAYS = {
  f32: Float32Array, bf16: Uint16Array, f16: Uint16Array, u8: Uint8Array, i8: Int8Array, u16: Uint16Array,
  i32: Int32Array, u32: Uint32Array,
} as const; // prettier-ignore

/** A buffer. In float64 mode an f32 word keeps a double beside its four bytes, made when first stored to. */
export class ReferenceBuffer implements Buffer {
  readonly bytes: number;
  readonly data: ArrayBuffer;
  freed = false;
  private readonly precision: Precision;
  private doubles: Float64Array | null = null;

  constructor(bytes: number, precision: Precision) {
    this.bytes = bytes;
    this.precision = precision;
    this.data = new ArrayBuffer(Math.ceil(bytes / 8) * 8);
  }

  /** The elements from byte `offset` on. */
  view(offset: number, storage: StorageType): View {
    const length = Math.floor((this.bytes - offset) / storageBytes[storage]);
    if (storage === "f32" && this.precision === "float64") return this.wideView(offset, length);
    const array = new HOST_ARRAYS[storage](this.data, offset, length);
    if (storage === "bf16") return coded(array, fromBf16, toBf16);
    if (storage === "f16") return coded(array, fromF16, toF16);
    return {
      length,
      load: (at) => array[at],
      store: (at, value) => {
        array[at] = value;
      },
    };
  }

  write(offset: number, source: HostArray): void {
    const bytes = source instanceof Float64Array ? source.length * 4 : source.byteLength;
    if (offset + bytes > this.bytes)
      throw new RangeError(`logrung: write of ${bytes} bytes at ${offset} into a buffer of ${this.bytes}`);
    if (source instanceof Float64Array) {
      const { store } = this.view(offset, "f32");
      for (let i = 0; i < source.length; i++) store(i, source[i]);
      return;
    }
    new Uint8Array(this.data, offset, bytes).set(
      new Uint8Array(source.buffer, source.byteOffset, source.byteLength),
    );
    this.refresh(offset, bytes);
  }

  read(offset: number, storage: StorageType, length: number): HostArray {
    const view = this.view(offset, storage);
    if (length > view.length)
      throw new RangeError(
        `logrung: read of ${length} ${storage} elements at byte ${offset} of a buffer of ${this.bytes}`,
      );
    if (storage === "f32" && this.precision === "float64")
      return Float64Array.from({ length }, (_, i) => view.load(i));
    return new HOST_ARRAYS[storage](this.data, offset, length).slice();
  }

  /**
   * A double stands only as long as it rounds to the word beside it: the word may have been overwritten
   * since, through a view of another type.
   */
  private wideView(offset: number, length: number): View {
    const words = new Float32Array(this.data, offset, length);
    const doubles = this.widened().subarray(offset / 4);
    return {
      length,
      load: (at) => {
        const word = words[at];
        const double = doubles[at];
        return Object.is(Math.fround(double), word) ? double : word;
      },
      store: (at, value) => {
        words[at] = value;
        doubles[at] = value;
      },
    };
  }

  private widened(): Float64Array {
    this.doubles ??= Float64Array.from(new Float32Array(this.data));
    return this.doubles;
  }

  private refresh(offset: number, bytes: number): void {
    if (!this.doubles) return;
    const first = Math.floor(offset / 4);
    const count = Math.ceil((offset + bytes) / 4) - first;
    this.doubles.set(new Float32Array(this.data, first * 4, count), first);
  }
}

const coded = (
  array: { readonly length: number; [at: number]: number },
  decode: (bits: number) => number,
  encode: (value: number) => number,
): View => ({
  length: array.length,
  load: (at) => decode(array[at]),
  store: (at, value) => {
    array[at] = encode(value);
  },
});

/** The live buffer behind a slice. @throws Error when it is freed or another backend's. */
export function live(slice: BufferSlice): ReferenceBuffer {
  const { buffer } = slice;
  if (!(buffer instanceof ReferenceBuffer)) throw new TypeError("logrung: the buffer is another backend's");
  if (buffer.freed) throw new Error("logrung: the buffer was freed");
  return buffer;
}
