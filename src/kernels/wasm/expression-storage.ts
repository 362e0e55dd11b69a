/** Narrow storages, written in the kernel language itself: raw bits to values and back. */
import { f32, ProgramError, select, u32, type StorageType, type Value } from "../program.ts";

/** The type of the raw bits of a storage, before {@link decode}. */
export const rawType: Readonly<Record<StorageType, "f32" | "i32" | "u32">> = {
  f32: "f32", bf16: "u32", f16: "u32", u8: "u32", i8: "i32", u16: "u32", i32: "i32", u32: "u32",
}; // prettier-ignore

/** The value of raw bits. */
export function decode(storage: StorageType, raw: Value): Value {
  if (storage === "bf16") return raw.shl(16).asF32();
  if (storage === "f16") return decodeHalf(raw);
  return raw;
}

/**
 * The raw bits a value is stored as: bf16 and f16 rounded to nearest even (any NaN becomes the quiet positive one),
 * integers as they are (the store wraps them).
 *
 * @throws ProgramError for a float in an integer storage or an integer in a float storage.
 */
export function encode(storage: StorageType, value: Value): Value {
  const float = storage === "f32" || storage === "bf16" || storage === "f16";
  if (float !== (value.type === "f32"))
    throw new ProgramError(`a value of type ${value.type} cannot be stored as ${storage}: convert it first`);
  if (storage === "bf16") return encodeBfloat(value);
  if (storage === "f16") return encodeHalf(value);
  return value;
}

function encodeBfloat(value: Value): Value {
  const bits = value.asU32();
  const rounded = bits.add(bits.shr(16).and(1)).add(0x7fff).shr(16);
  return select(value.ne(value), u32(0x7fc0), rounded);
}

/** Moves a half's exponent and mantissa into a float's place; 2¹¹² corrects the bias, of subnormals too. */
function decodeHalf(raw: Value): Value {
  const magnitude = raw.and(0x7fff);
  const scaled = magnitude.shl(13).asF32().mul(f32(2 ** 112)).asU32(); // prettier-ignore
  const special = select(magnitude.ge(0x7c00), u32(0x7f800000), u32(0));
  return scaled.or(special).or(raw.and(0x8000).shl(16)).asF32();
}

/**
 * Normal halves round by integer addition; subnormal ones by adding 0.5, whose last place is a half's smallest
 * subnormal, so that the float addition rounds.
 */
function encodeHalf(value: Value): Value {
  const bits = value.asU32();
  const magnitude = bits.and(0x7fffffff);
  const odd = magnitude.shr(13).and(1);
  const normal = magnitude.sub(112 << 23).add(0xfff).add(odd).shr(13); // prettier-ignore
  const subnormal = magnitude.asF32().add(0.5).asU32().sub(0x3f000000); // prettier-ignore
  const finite = select(magnitude.lt(0x38800000), subnormal, normal);
  const overflow = select(magnitude.ge(0x477ff000), u32(0x7c00), finite);
  const signed = overflow.or(bits.shr(16).and(0x8000));
  return select(value.ne(value), u32(0x7e00), signed);
}
