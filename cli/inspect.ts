/** What is in a safetensors file: shapes, types, ranges, and how ladders are used. */
import { halfValue } from "../src/io/element-values.ts";
import type { SafetensorsDtype, SafetensorsTensor } from "../src/io/safetensors.ts";
import type { JsonObject } from "../src/train/json.ts";
import { ladderHistogram, type LadderHistogram } from "../src/train/ladder-histogram.ts";
import { storedCodes } from "../src/train/stored-codes.ts";

export interface TensorReport {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: SafetensorsDtype;
  /** The number format of codes; null where elements are plain numbers. */
  readonly format: string | null;
  readonly bytes: number;
  /** Of finite values; null where there are none or the type is not read. */
  readonly min: number | null;
  readonly max: number | null;
  /** Elements that are NaN or infinite. */
  readonly nonFinite: number;
  /** For codes of a ladder. */
  readonly ladder?: LadderHistogram;
}

/**
 * Looks at every tensor.
 *
 * @param formats  number format of each coded tensor, by name, as a checkpoint has it; a tensor `<name>.scale` of one float is its scale.
 */
export function inspectTensors(
  tensors: Readonly<Record<string, SafetensorsTensor>>,
  formats: JsonObject,
): TensorReport[] {
  return Object.entries(tensors).map(([name, tensor]) => {
    const { shape, dtype, bytes } = tensor;
    const stored = storedCodes(tensor, Object.hasOwn(formats, name) ? formats[name] : null);
    const common = { name, shape: stored?.shape ?? shape, dtype, bytes: bytes.length };
    if (!stored) return { ...common, format: null, ...rangeOf(elements(tensor)) };
    const { codes, format } = stored;
    const scale = scaleOf(tensors[`${name}.scale`]);
    const ladder = ladderHistogram(codes, format);
    const range = rangeOf(decoded(codes, (code) => format.decode(code) * scale));
    return { ...common, format: format.name, ...range, ...(ladder && { ladder }) };
  });
}

/** A tensor's one scale; 1 where it has none of its own, so that values stand relative to the top rung. */
function scaleOf(tensor: SafetensorsTensor | undefined): number {
  const values = tensor?.dtype === "F32" ? elements(tensor) : undefined;
  return values?.length === 1 ? values[0] : 1;
}

function decoded(codes: ArrayLike<number>, decode: (code: number) => number): Float64Array {
  const table = new Map<number, number>();
  return Float64Array.from(codes, (code) => {
    const value = table.get(code) ?? decode(code);
    table.set(code, value);
    return value;
  });
}

/** Elements as numbers; undefined for types that have no simple reading (sub-byte, 64-bit integers, complex). */
function elements({ dtype, bytes }: SafetensorsTensor): ArrayLike<number> | undefined {
  const { buffer } = bytes.slice();
  switch (dtype) {
    case "BOOL":
    case "U8":
      return new Uint8Array(buffer);
    case "I8":
      return new Int8Array(buffer);
    case "U16":
      return new Uint16Array(buffer);
    case "I16":
      return new Int16Array(buffer);
    case "U32":
      return new Uint32Array(buffer);
    case "I32":
      return new Int32Array(buffer);
    case "F32":
      return new Float32Array(buffer);
    case "F64":
      return new Float64Array(buffer);
    case "BF16":
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer);
    case "F16":
      return Float64Array.from(new Uint16Array(buffer), halfValue);
    default:
      return undefined;
  }
}

function rangeOf(values: ArrayLike<number> | undefined): Pick<TensorReport, "min" | "max" | "nonFinite"> {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let nonFinite = 0;
  for (let index = 0; index < (values?.length ?? 0); index++) {
    const value = values?.[index] ?? 0;
    if (!Number.isFinite(value)) {
      nonFinite++;
      continue;
    }
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return min > max ? { min: null, max: null, nonFinite } : { min, max, nonFinite };
}
