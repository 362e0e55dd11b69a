/** Programs for natural-log ladders: a guess by an approximate logarithm, settled by exact thresholds. */
import { float32Bits } from "../../formats/float32-bits.ts";
import type { NaturalLadderCoding, Rounding } from "../../formats/format.ts";
import { log2Accuracy, roundingMagic, roundingMagicBits } from "../../formats/log2-fixed.ts";
import { naturalGap } from "../../formats/natural-ladder.ts";
import { naturalRungs } from "../../formats/natural-rungs.ts";
import { select, Table, type Value } from "../program.ts";
import { uniformFloat } from "../random.ts";
import { log2FixedPlus } from "./log2.ts";

interface Tables {
  readonly midpoints: Table;
  readonly floors: Table;
  readonly logs: Table;
  readonly values: Table;
}

const cache = new Map<string, Tables>();

/** A threshold above all numbers follows the last one. */
function closed(thresholds: Int32Array): Table {
  const entries = new Uint32Array(thresholds.length + 1).fill(0x7fffffff);
  entries.set(thresholds);
  return new Table(entries);
}

function tablesOf(coding: NaturalLadderCoding): Tables {
  const name = `${coding.magnitudeBits} ${coding.step}`;
  const known = cache.get(name);
  if (known) return known;
  const rungs = naturalRungs(coding);
  const tables = {
    midpoints: closed(rungs.midpoints),
    floors: closed(rungs.floors),
    logs: new Table(Uint32Array.from(rungs.logs)),
    values: new Table(Float32Array.from(rungs.values)),
  };
  cache.set(name, tables);
  return tables;
}

const topField = ({ magnitudeBits }: NaturalLadderCoding): number => 2 ** magnitudeBits - 1;

/** The finest logarithm: with less, ladders of small steps would miss by more than a rung. */
const { coefficients } = log2Accuracy(2048);

/** f, the sign bit above it; NaN gives 0. */
export function encodeNatural(
  coding: NaturalLadderCoding,
  x: Value,
  rounding: Rounding,
  noise?: Value,
): Value {
  const lowest = float32Bits(naturalRungs(coding).values[0]);
  const magnitude = x.asI32().and(0x7fffffff).max(lowest).min(0x3f800000);
  const log = log2FixedPlus(magnitude, coefficients).sub(roundingMagicBits);
  const field = fieldOf(coding, magnitude, log, rounding, noise);
  const sign = x.asU32().shr(31).shl(coding.magnitudeBits);
  return select(x.eq(x), field.asU32().or(sign), 0);
}

function fieldOf(
  coding: NaturalLadderCoding,
  magnitude: Value,
  log: Value,
  rounding: Rounding,
  noise: Value | undefined,
): Value {
  const tables = tablesOf(coding);
  const chance = rounding === "stochastic" && noise !== undefined;
  const thresholds = chance || rounding === "floor" ? tables.floors : tables.midpoints;
  const field = settled(thresholds, magnitude, guess(coding, log));
  if (!chance) return field;
  const gap = naturalGap(coding.step);
  const distance = log.sub(tables.logs.at(field).asI32()).toF32();
  const up = uniformFloat(noise).mul(gap).lt(distance);
  return field.add(up.toI32()).min(topField(coding));
}

/** round(log₂ x · ln 2 / η₀) + K: within one of the field sought. */
function guess(coding: NaturalLadderCoding, log: Value): Value {
  const top = topField(coding);
  const position = log
    .sub(127 * 2 ** 23)
    .toF32()
    .mul(1 / naturalGap(coding.step));
  return position
    .add(roundingMagic)
    .asI32()
    .add(top - roundingMagicBits)
    .max(0)
    .min(top);
}

/** (m - t) ≫ 31 is -1 below the threshold t and 0 from it on. */
function settled(thresholds: Table, magnitude: Value, guessed: Value): Value {
  const reaches = (at: Value): Value => magnitude.sub(thresholds.at(at).asI32()).shr(31);
  const next = guessed.add(1);
  return next.add(reaches(guessed)).add(reaches(next));
}

export function decodeNatural(coding: NaturalLadderCoding, code: Value): Value {
  const magnitude = tablesOf(coding).values.at(code.and(topField(coding)));
  const sign = code.shr(coding.magnitudeBits).shl(31);
  return magnitude.asU32().or(sign).asF32();
}

/** f ← clamp(f + delta, 0, K), the sign stays. */
export function stepNatural(coding: NaturalLadderCoding, code: Value, delta: Value): Value {
  const top = topField(coding);
  const field = code.and(top).asI32().add(delta).max(0).min(top);
  return field.asU32().or(code.and(top + 1));
}
