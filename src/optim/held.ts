/** How a number of the optimiser lies in memory: its storage, its scale, and its steps on a ladder. */
import { format as formatOf, type ScalarFormat } from "../formats/index.ts";
import { codeStorage, decodeValue, encodeValue } from "../kernels/codec.ts";
import { roundsInStep, roundToLadder, type InLadder } from "../kernels/codec/ladder-step.ts";
import { i32, select, type StorageType, type Value } from "../kernels/program.ts";
import type { TensorPrecision } from "../precision/policy.ts";

/** null is float32. */
export type Held = TensorPrecision | null;

export const storageOf = (held: Held): StorageType => (held ? codeStorage(formatOf(held.format)) : "f32");

/** Formats that reach this far have a range of their own, as float32 has, and no scale. */
const OWN_RANGE = 2 ** 16;

/** Whether codes stand for multiples of a scale: ladders and small floats and integers do, bf16 does not. */
export const isScaled = (held: Held): held is TensorPrecision =>
  held !== null && held.scale !== "none" && formatOf(held.format).info.max < OWN_RANGE;

/** The largest value at scale 1, which a scale maps to the largest value to be held. */
export const largestOf = ({ format }: TensorPrecision): number => formatOf(format).info.max;

/** The value of what memory holds, at scale 1. */
export const readHeld = (held: Held, stored: Value): Value =>
  held ? decodeValue(formatOf(held.format), stored) : stored;

/**
 * What memory is to hold for a value at scale 1. Stochastic rounding to a ladder is that of {@link roundToLadder}.
 *
 * @param scale what to divide x by first, a constant. Default 1.
 * @param known what the caller knows of x, or does not mind.
 */
export function writeHeld(held: Held, x: Value, bits?: Value, scale = 1, known: Known = {}): Value {
  const scaled = (): Value => (scale === 1 ? x : x.mul(1 / scale));
  if (!held) return scaled();
  const format = formatOf(held.format);
  const { coding } = format;
  if (held.rounding === "stochastic" && bits && coding.kind === "ladder" && roundsInStep(coding))
    return roundToLadder(coding, x, bits, { octaves: -Math.log2(scale), ...known });
  return encodeValue(format, scaled(), held.rounding, bits);
}

/** What saves work where it holds, and is ignored by formats that have no use for it. */
export type Known = Pick<InLadder, "nan" | "positive">;

/** A logarithmic ladder as a rule climbs it. */
export interface Ladder {
  /** log₂ of the ratio of neighbouring rungs. */
  readonly octavesPerRung: number;
  /** Magnitude fields of the lowest rung that is not zero, and of the top. */
  readonly lowest: number;
  readonly highest: number;
  /** Whether a sign bit lies above the magnitude field. */
  readonly signed: boolean;
  /** Whether the magnitude field 0 is zero. */
  readonly hasZero: boolean;
}

/** The rungs of a format; null for formats that are no ladders. */
export function ladderOf({ coding }: ScalarFormat): Ladder | null {
  if (coding.kind === "natural-ladder") {
    const highest = 2 ** coding.magnitudeBits - 1;
    return { octavesPerRung: coding.step * Math.LOG2E, lowest: 0, highest, signed: true, hasZero: false };
  }
  if (coding.kind !== "ladder") return null;
  const { rungsPerOctave, rungs, signed } = coding;
  return { octavesPerRung: 1 / rungsPerOctave, lowest: 1, highest: rungs, signed, hasZero: true };
}

export const ladderHeld = (held: Held): Ladder | null => (held ? ladderOf(formatOf(held.format)) : null);

/** k (i32): the code without its sign. */
export const magnitudeOf = ({ signed, highest }: Ladder, code: Value): Value =>
  (signed ? code.and(highest) : code).asI32();

/** k ← clamp(k + delta, lowest, highest); the sign above it stays, and so does zero. */
export function climb(ladder: Ladder, code: Value, delta: Value): Value {
  const { lowest, highest, hasZero, signed } = ladder;
  const before = magnitudeOf(ladder, code);
  // Bounded by itself first, the change is known to be a small number.
  const moved = before.add(delta.max(-highest).min(highest)).max(lowest).min(highest); // prettier-ignore
  const k = (hasZero ? select(before.eq(0), i32(0), moved) : moved).asU32();
  return signed ? k.or(code.and(highest + 1)) : k;
}

/** The same, but from zero it steps onto the ladder. */
export const onRung = (ladder: Ladder, code: Value, delta: Value): Value =>
  climb({ ...ladder, hasZero: false }, code, delta);

/** Flips the sign of x by the code's sign bit, which lies just above the magnitude field. */
export function bySignBit({ highest }: Ladder, code: Value, x: Value): Value {
  const sign = code.shl(31 - Math.log2(highest + 1)).and(0x80000000);
  return x.asU32().xor(sign).asF32();
}
