/** The arrays of a file, as numbers in row-major order. */
import { type FloatElement, floatBytes, floatValues } from "../../src/io/element-values.ts";
import { decodeNpy, encodeNpy, type NpyArray } from "../../src/io/npy.ts";
import { decodeSafetensors, type SafetensorsTensor } from "../../src/io/safetensors.ts";
import { QuantizeError } from "./quantize-error.ts";

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  /** Row-major, whatever the order in the file; read anew at every call, so that one tensor at a time is in memory. */
  values(): Float32Array | Float64Array;
  /** An npy file of the same type, byte order and order of elements with other values (row-major, as above). */
  withValues(values: Float32Array): Uint8Array[];
}

export interface OpenedTensors {
  readonly tensors: readonly NamedTensor[];
  /** Tensors that hold no floats, with their types. */
  readonly skipped: readonly string[];
}

/**
 * Reads the bytes of an npy or a safetensors file; which of the two it is, they tell themselves.
 *
 * @throws NpyError, SafetensorsError for a broken file; QuantizeError when it holds nothing to quantise.
 */
export function openTensors(bytes: Uint8Array, path: string): OpenedTensors {
  const npy = path.toLowerCase().endsWith(".npy") || bytes[0] === 0x93;
  const opened = npy
    ? { tensors: [npyTensor(decodeNpy(bytes, path), path)], skipped: [] }
    : safetensors(bytes, path);
  if (opened.tensors.length > 0) return opened;
  const held = opened.skipped.length === 0 ? "no tensors" : `no floats: ${opened.skipped.join(", ")}`;
  throw new QuantizeError(`"${path}" holds ${held}; quantize reads F16, BF16, F32 and F64`);
}

const npyFloats: Readonly<Record<string, Exclude<FloatElement, "bf16">>> = {
  f2: "f16",
  f4: "f32",
  f8: "f64",
};

function npyTensor(array: NpyArray, path: string): NamedTensor {
  const { dtype, bigEndian, fortranOrder, shape, bytes } = array;
  const type = npyFloats[dtype];
  if (type === undefined) {
    const how = 'array.astype("float32")';
    throw new QuantizeError(
      `"${path}" holds ${dtype}, not floats: convert it with ${how} if its numbers are to be quantised`,
    );
  }
  const reversed = shape.toReversed();
  return {
    name: "array",
    shape,
    dtype,
    values() {
      const values = floatValues(bytes, type, bigEndian);
      return fortranOrder ? transposed(values, reversed) : values;
    },
    withValues(values) {
      const ordered = fortranOrder ? transposed(values, shape) : values;
      return encodeNpy({ ...array, bytes: floatBytes(ordered, type, bigEndian) });
    },
  };
}

const safetensorsFloats: Readonly<Record<string, FloatElement>> = {
  F16: "f16",
  BF16: "bf16",
  F32: "f32",
  F64: "f64",
};

function safetensors(bytes: Uint8Array, path: string): OpenedTensors {
  const all = [...decodeSafetensors(bytes, path).tensors].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const isFloat = ([, { dtype }]: (typeof all)[number]): boolean => Object.hasOwn(safetensorsFloats, dtype);
  return {
    tensors: all.filter(isFloat).map(([name, tensor]) => safetensorsTensor(name, tensor)),
    skipped: all.filter((entry) => !isFloat(entry)).map(([name, { dtype }]) => `${name} (${dtype})`),
  };
}

function safetensorsTensor(name: string, { dtype, shape, bytes }: SafetensorsTensor): NamedTensor {
  const type = safetensorsFloats[dtype];
  // npy has no bfloat16; float32 holds its numbers exactly.
  const written = type === "bf16" ? "f32" : type;
  const npyDtype = { f16: "f2", f32: "f4", f64: "f8" } as const;
  return {
    name,
    shape,
    dtype,
    values: () => floatValues(bytes, type),
    withValues: (values) =>
      encodeNpy({
        dtype: npyDtype[written],
        bigEndian: false,
        fortranOrder: false,
        shape,
        bytes: floatBytes(values, written),
      }),
  };
}

/** Elements of a row-major array of this shape in column-major order. */
function transposed<T extends Float32Array | Float64Array>(values: T, shape: readonly number[]): T {
  const result = values.slice() as T;
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < values.length; to++) {
    result[to] = values[from];
    for (let axis = 0; axis < shape.length; axis++) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}
