/** Codes of a number format in the tensors of a checkpoint. */
import { format, type ScalarFormat } from "../formats/format.ts";
import type { SafetensorsTensor } from "../io/safetensors.ts";
import { packedBytes, unpackCodes } from "../tensor/packing.ts";
import { isJsonObject, type Json } from "./json.ts";

/** A tensor of codes, unpacked. */
export interface StoredCodes {
  readonly format: ScalarFormat;
  readonly shape: readonly number[];
  readonly codes: ArrayLike<number>;
}

/**
 * The codes of a stored tensor.
 *
 * @param entry  what the checkpoint's `formats` say of it: a format's name, or { format, shape } where codes lie packed.
 * @returns undefined where the entry tells of no codes, or the bytes are not as many as it says.
 * @throws UnknownFormatError for a format this version does not know.
 */
export function storedCodes(tensor: SafetensorsTensor, entry: Json): StoredCodes | undefined {
  if (typeof entry === "string") return { format: format(entry), shape: tensor.shape, codes: plain(tensor) };
  if (!isJsonObject(entry) || typeof entry.format !== "string" || !Array.isArray(entry.shape))
    return undefined;
  const shape = entry.shape.map(Number);
  const count = shape.reduce((product, size) => product * size, 1);
  const found = format(entry.format);
  if (packedBytes(count, found.bits) !== tensor.bytes.length) return undefined;
  return { format: found, shape, codes: unpackCodes(tensor.bytes, count, found.bits) };
}

function plain({ dtype, bytes }: SafetensorsTensor): ArrayLike<number> {
  return dtype === "U16" ? new Uint16Array(bytes.slice().buffer) : bytes;
}
