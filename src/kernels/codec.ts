/** Encoding and decoding inside kernels: what a `ScalarFormat` says, as programs. */
import type { Rounding, ScalarFormat } from "../formats/format.ts";
import { decodeFloat, encodeFloat } from "./codec/float.ts";
import { decodeInteger, encodeInteger } from "./codec/integer.ts";
import { decodeLadder, encodeLadder, stepLadder } from "./codec/ladder.ts";
import { decodeNatural, encodeNatural, stepNatural } from "./codec/natural-ladder.ts";
import { decodePower, encodePower } from "./codec/power-of-two.ts";
import { decodeTableCode, encodeTable } from "./codec/table.ts";
import { ProgramError, Table, type Value } from "./program.ts";

/** The storage that holds one code: u8 up to 8 bits, u16 up to 16, u32. */
export function codeStorage(format: ScalarFormat): "u8" | "u16" | "u32" {
  return format.bits <= 8 ? "u8" : format.bits <= 16 ? "u16" : "u32";
}

/**
 * The code (u32) of an f32 that has been divided by its scale; equal to `format.encode` bit for bit on every backend.
 *
 * @param bits u32 random bits, one draw an element; needed for `stochastic`, ignored otherwise.
 * @throws ProgramError when `stochastic` has no bits.
 */
export function encodeValue(format: ScalarFormat, x: Value, rounding: Rounding, bits?: Value): Value {
  const noise = rounding === "stochastic" ? bits : undefined;
  if (rounding === "stochastic" && noise === undefined)
    throw new ProgramError(`stochastic rounding to ${format.name} wants random bits`);
  const { coding } = format;
  switch (coding.kind) {
    case "float32":
      return x.asU32();
    case "float":
      return encodeFloat(coding, x, rounding, noise);
    case "integer":
      return encodeInteger(coding, x, rounding, noise);
    case "power-of-two":
      return encodePower(coding, x, rounding, noise);
    case "ladder":
      return encodeLadder(coding, x, rounding, noise);
    case "natural-ladder":
      return encodeNatural(coding, x, rounding, noise);
    case "table":
      return encodeTable(coding, x, rounding, noise);
  }
}

/**
 * The value (f32, at scale 1) of a code: `format.decode` rounded to float32, except that the rungs of very wide base-2
 * ladders below 2^-126 give zero.
 */
export function decodeValue(format: ScalarFormat, code: Value): Value {
  const { coding } = format;
  switch (coding.kind) {
    case "float32":
      return code.asF32();
    case "float":
      return format.bits <= 8 ? valueTable(format).at(code) : decodeFloat(coding, code);
    case "integer":
      return decodeInteger(coding, code);
    case "power-of-two":
      return decodePower(coding, code);
    case "ladder":
      return format.bits <= 8 ? valueTable(format).at(code) : decodeLadder(coding, code);
    case "natural-ladder":
      return format.bits <= 8 ? valueTable(format).at(code) : decodeNatural(coding, code);
    case "table":
      return decodeTableCode(coding, code);
  }
}

const valueTables = new WeakMap<ScalarFormat, Table>();

/** One table a format, however many programs read it. Decoding 8 bits is a single lookup. */
function valueTable(format: ScalarFormat): Table {
  let table = valueTables.get(format);
  if (!table) {
    table = new Table(decodeTable(format).slice(0, 2 ** format.bits));
    valueTables.set(format, table);
  }
  return table;
}

const isSubnormal = (x: number): boolean => x !== 0 && Math.abs(x) < 2 ** -126;

/**
 * The values (at scale 1) of all codes, for a coded operand of `gemm`; entries beyond the last code are 0.
 *
 * @throws RangeError for formats of more than 8 bits.
 */
export function decodeTable(format: ScalarFormat): Float32Array {
  if (format.bits > 8)
    throw new RangeError(`logrung: a table of ${format.name} (${format.bits} bits), wants at most 8`);
  const table = new Float32Array(256);
  for (let code = 0; code < 2 ** format.bits; code++) {
    const value = Math.fround(format.decode(code));
    const flushed = format.coding.kind === "ladder" && isSubnormal(value);
    table[code] = flushed ? (value < 0 ? -0 : 0) : value;
  }
  return table;
}

/**
 * Moves a code of a signed ladder by `delta` (i32) rungs; the sign stays. A positive delta makes the magnitude larger.
 *
 * - base 2: k ← clamp(k + delta, 1, K). From zero it steps onto the ladder: k = 1 at least.
 * - natural: f ← clamp(f + delta, 0, K).
 *
 * 6 integer operations.
 *
 * @param delta |delta| < 2³⁰
 * @throws ProgramError when the format is not a signed ladder.
 */
export function stepRungs(format: ScalarFormat, code: Value, delta: Value): Value {
  const { coding, name } = format;
  if (coding.kind === "natural-ladder") return stepNatural(coding, code, delta);
  if (coding.kind === "ladder" && coding.signed) return stepLadder(coding, code, delta);
  throw new ProgramError(`stepping rungs of ${name}: wants a signed ladder, such as lns8-g16`);
}
