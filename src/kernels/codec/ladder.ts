/** Programs for logarithmic ladders: exact rounding with integers, decoding, stepping. */
import type { LadderCoding, Rounding } from "../../formats/format.ts";
import { rungFields, rungMantissas, rungThresholds } from "../../formats/ladder.ts";
import { log2Accuracy, roundingMagicBits } from "../../formats/log2-fixed.ts";
import { i32, select, Table, type Value } from "../program.ts";
import { log2FixedPlus } from "./log2.ts";

/** The largest γ whose nearest rounding compares with each threshold; above it a table is less work. */
const MOST_COMPARED = 4;

const INFINITY_BITS = 0x7f800000;
const MANTISSA = 0x7fffff;

/** log₂γ */
const octaveBits = ({ rungsPerOctave }: LadderCoding): number => Math.log2(rungsPerOctave);
/** Whether some rung, or the threshold of the lowest, lies among float32's subnormal numbers. */
const reachesSubnormals = ({ rungs, rungsPerOctave }: LadderCoding): boolean => rungs > 126 * rungsPerOctave;

/**
 * k = (magnitude bits as fixed-point log₂, corrected) ≫ (23 - log₂γ), + K - 127 γ, clamped to [0, K]
 *
 * A float's bits are 2²³ (E + 127 + 0.m), a first guess of its logarithm. The correction within the octave makes the
 * carry into the rung number happen exactly where it should: at the thresholds, or where log₂ plus the noise passes
 * the next rung.
 */
export function encodeLadder(coding: LadderCoding, x: Value, rounding: Rounding, noise?: Value): Value {
  const { signed, rungsPerOctave, rungs } = coding;
  const bits = x.asI32();
  const magnitude = signed ? bits.and(0x7fffffff) : bits.max(0);
  const wide = reachesSubnormals(coding);
  const fixed = wide ? normalised(magnitude) : magnitude;
  const passed = rungAt(coding, fixed, rounding, noise);
  const k = passed
    .add(rungs - 127 * rungsPerOctave)
    .max(0)
    .min(rungs);
  // A narrow ladder sends 0 below its lowest rung by itself; -1 as unsigned is above every NaN.
  const isNumber = wide ? magnitude.sub(1).asU32().lt(INFINITY_BITS) : magnitude.le(INFINITY_BITS);
  if (!signed) return select(isNumber, k, 0).asU32();
  const sign = x.asU32().shr(31).shl(signShift(coding));
  if (!wide) return select(isNumber, k.asU32().or(sign), 0);
  return select(isNumber, k, 0)
    .asU32()
    .or(select(magnitude.le(INFINITY_BITS), sign, 0));
}

/** Place of the sign bit: just above the magnitude field. */
const signShift = ({ rungs }: LadderCoding): number => Math.log2(rungs + 1);

/** The same for subnormal numbers: as an integer times 2⁻¹⁴⁹ they are normal. */
function normalised(magnitude: Value): Value {
  const asInteger = magnitude
    .toF32()
    .asI32()
    .sub(149 * 2 ** 23);
  return select(magnitude.lt(0x00800000), asInteger, magnitude);
}

/** Rungs up to x, counted from 2^-127. */
function rungAt(coding: LadderCoding, fixed: Value, rounding: Rounding, noise: Value | undefined): Value {
  if (rounding === "stochastic" && noise) return noisyRung(coding, fixed, noise);
  const find = rounding === "floor" ? rungFields : rungThresholds;
  return passedRung(coding, fixed, find);
}

/** Finds the ascending mantissa fields from which on the next rung is taken; at most γ, and far enough apart. */
type Thresholds = (rungsPerOctave: number) => Int32Array;

function passedRung(coding: LadderCoding, fixed: Value, find: Thresholds): Value {
  const { rungsPerOctave } = coding;
  if (rungsPerOctave > MOST_COMPARED) {
    const bin = fixed.shr(22 - octaveBits(coding)).and(2 * rungsPerOctave - 1);
    return fixed.add(correctionTable(coding, find).at(bin).asI32()).shr(23 - octaveBits(coding));
  }
  const mantissa = fixed.and(MANTISSA);
  const octave = fixed.shr(23).shl(octaveBits(coding));
  // (m - t) ≫ 31 is -1 below the threshold t and 0 from it on.
  const thresholds = [...find(rungsPerOctave)];
  return thresholds.reduce(
    (rung, threshold) => rung.add(mantissa.sub(threshold).shr(31)),
    octave.add(thresholds.length),
  );
}

const correctionTables = new Map<Int32Array, Table>();

/**
 * Corrections for each of the 2γ bins of the mantissa. Thresholds are at least ln 2 / γ apart, a bin is 1/2γ wide, so
 * there is at most one threshold in it. With bin b starting at b · S and its threshold at b · S + t (t = S when it has
 * none), a rung being 2S wide and `base` the rung below the threshold:
 *
 *   correction = base · 2S + 2S - t - b · S,   so that ⌊(m + correction) / 2S⌋ = base + (m ≥ threshold)
 */
function correctionTable(coding: LadderCoding, find: Thresholds): Table {
  const thresholds = find(coding.rungsPerOctave);
  const known = correctionTables.get(thresholds);
  if (known) return known;
  const step = 2 ** (22 - octaveBits(coding));
  let base = 0;
  const corrections = Array.from({ length: 2 * coding.rungsPerOctave }, (_, bin) => {
    const rest = thresholds[base] - bin * step;
    const inside = rest < step; // false past the last threshold, where rest is NaN
    const correction = (2 * base + 2 - bin) * step - (inside ? rest : step);
    if (inside) base++;
    return correction;
  });
  const table = new Table(Uint32Array.from(corrections));
  correctionTables.set(thresholds, table);
  return table;
}

/** ⌊γ (log₂ + dither)⌋ */
function noisyRung(coding: LadderCoding, fixed: Value, noise: Value): Value {
  const shift = 23 - octaveBits(coding);
  const { coefficients, grain } = log2Accuracy(coding.rungsPerOctave);
  const dither = noise
    .shr(32 - shift)
    .and(-grain >>> 0)
    .asI32();
  return log2FixedPlus(fixed, coefficients)
    .add(dither)
    .add(grain / 2 - roundingMagicBits)
    .shr(shift);
}

const mantissaTables = new Map<number, Table>();

function mantissaTable(rungsPerOctave: number): Table {
  let table = mantissaTables.get(rungsPerOctave);
  if (!table) {
    const bits = new Uint32Array(Float32Array.from(rungMantissas(rungsPerOctave)).buffer);
    table = new Table(bits);
    mantissaTables.set(rungsPerOctave, table);
  }
  return table;
}

/** Exponent bits put together with the mantissa of the rung within its octave; one lookup in γ entries. */
export function decodeLadder(coding: LadderCoding, code: Value): Value {
  const { signed, rungsPerOctave, rungs } = coding;
  const k = code.and(rungs).asI32();
  const position = k.sub(rungs);
  const exponent = position.shr(octaveBits(coding)).shl(23);
  const mantissa = mantissaTable(rungsPerOctave)
    .at(position.and(rungsPerOctave - 1))
    .asI32();
  const lowest = Math.max(1, rungs - 126 * rungsPerOctave);
  const magnitude = select(k.ge(lowest), exponent.add(mantissa), i32(0));
  if (!signed) return magnitude.asF32();
  const sign = code.shr(signShift(coding)).shl(31);
  return magnitude.asU32().or(sign).asF32();
}

export function stepLadder(coding: LadderCoding, code: Value, delta: Value): Value {
  const { rungs } = coding;
  const k = code.and(rungs).asI32().add(delta).max(1).min(rungs);
  return k.asU32().or(code.and(rungs + 1));
}
