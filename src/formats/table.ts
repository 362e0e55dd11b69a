/** Formats given by the values of their codes: what a number system of one's own needs. */
import type { Rounding, ScalarFormat, TableCoding } from "./scalar-format.ts";
import {
  awayTies,
  evenTies,
  floorThreshold,
  nearestThreshold,
  orderKey,
  type Entry,
  type Midpoint,
} from "./table-thresholds.ts";

export interface TableOptions {
  /**
   * Where rounding to the nearest changes between two neighbouring magnitudes 0 ≤ low < high. Default (low + high) / 2;
   * posits take the value of the next longer bit pattern.
   */
  readonly midpoint?: Midpoint;
  /** What ±Inf become where they have no codes of their own. Default `saturate`; `nan`: as NaN does, for posits. */
  readonly infinity?: "saturate" | "nan";
}

/**
 * A format of at most 16 bits from the values of its codes. Encoding is exact: a binary search over the float32
 * numbers at which the code changes, on every backend the same.
 *
 * - Values may be any that differ as float32, in any order, symmetric or not; several codes may share one (encoders give
 *   the lowest). Nearest rounding is by distance, or by `midpoint`; `floor` goes towards zero, where there is a value.
 * - `stochastic`: the nearer zero of the two neighbours, or the other one with probability |x - first| / |other - first|,
 *   in float32 with 24 random bits.
 * - Too large a number saturates. ±Inf go to their own codes, else saturate (or become NaN); NaN to its own, else to the code nearest 0.
 *
 * @param values the value of every code, by code: 2^bits numbers; NaN and ±Infinity may be among them.
 * @throws RangeError for more than 16 bits, another number of values, or values that float32 cannot tell apart.
 * @example tableFormat("ternary", 2, [0, 1, -1, NaN])
 */
export function tableFormat(
  name: string,
  bits: number,
  values: ArrayLike<number>,
  options: TableOptions = {},
): ScalarFormat {
  checkShape(name, bits, values);
  const table = Float64Array.from(values);
  const coding = codingOf(bits, table, sortedEntries(name, table), options);
  return {
    name,
    bits,
    info: infoOf(coding),
    coding,
    decode: (code) => table[code],
    encode: (x, rounding, u) => encode(coding, Math.fround(x), rounding, u),
  };
}

function checkShape(name: string, bits: number, values: ArrayLike<number>): void {
  if (!(Number.isInteger(bits) && bits >= 1 && bits <= 16))
    throw new RangeError(`logrung: a table of ${bits} bits for "${name}", wants 1 to 16`);
  if (values.length !== 2 ** bits)
    throw new RangeError(
      `logrung: "${name}" has ${values.length} values, wants one for each of its ${2 ** bits} codes`,
    );
}

/** The finite values by rising order, each with its lowest code; -0 before 0. */
function sortedEntries(name: string, values: Float64Array): Entry[] {
  const entries: Entry[] = [];
  const sorted = Array.from(values, (value, code) => ({ value, code }))
    .filter(({ value }) => Number.isFinite(value))
    .toSorted((a, b) => orderKey(a.value) - orderKey(b.value) || a.value - b.value || a.code - b.code);
  for (const entry of sorted) {
    const before = entries.at(-1);
    if (before !== undefined && Object.is(before.value, entry.value)) continue;
    if (before !== undefined && orderKey(before.value) === orderKey(entry.value))
      throw new RangeError(`logrung: "${name}": ${before.value} and ${entry.value} are one float32`);
    entries.push(entry);
  }
  if (entries.length === 0) throw new RangeError(`logrung: "${name}" has no finite value`);
  if (entries.some(({ value }) => !Number.isFinite(Math.fround(value))))
    throw new RangeError(`logrung: "${name}" has values beyond the range of float32`);
  return entries;
}

function codingOf(
  bits: number,
  values: Float64Array,
  entries: readonly Entry[],
  { midpoint, infinity }: TableOptions,
): TableCoding {
  const between = (threshold: (low: Entry, high: Entry) => number): Int32Array =>
    Int32Array.from(entries.slice(1), (high, i) => threshold(entries[i], high));
  const codeOf = (value: number): number => values.findIndex((own) => Object.is(own, value));
  const own = (value: number, otherwise: Entry): number =>
    codeOf(value) >= 0 ? codeOf(value) : otherwise.code;
  const nearZero = entries.reduce((a, b) => (Math.abs(b.value) <= Math.abs(a.value) ? b : a));
  const nan = own(NaN, nearZero);
  const beyond = (entry: Entry): Entry => (infinity === "nan" ? { value: NaN, code: nan } : entry);
  return {
    kind: "table",
    bits,
    values,
    codes: Uint32Array.from(entries, ({ code }) => code),
    thresholds: {
      "nearest-even": between((low, high) => nearestThreshold(low, high, evenTies, midpoint)),
      "nearest-away": between((low, high) => nearestThreshold(low, high, awayTies, midpoint)),
      floor: between(floorThreshold),
    },
    nan,
    infinity: own(Infinity, beyond(entries[entries.length - 1])),
    negativeInfinity: own(-Infinity, beyond(entries[0])),
  };
}

function infoOf({ bits, values, codes }: TableCoding): ScalarFormat["info"] {
  const finite = Array.from(codes, (code) => values[code]);
  const least = finite.find((value) => value > 0) ?? 0;
  const zero = values.findIndex((value) => Object.is(value, 0));
  const negative = (value: number): boolean => value < 0 || Object.is(value, -0);
  const bySign = values.every(
    (value, code) => Number.isNaN(value) || negative(value) === code >= 2 ** (bits - 1),
  );
  return {
    max: finite[finite.length - 1],
    minNormal: least,
    minPositive: least,
    hasInf: values.includes(Infinity),
    hasNaN: values.some(Number.isNaN),
    zeroCode: zero >= 0 ? zero : null,
    signBit: bySign ? bits - 1 : null,
  };
}

/** How many thresholds are at most `key`. */
function rankOf(thresholds: Int32Array, key: number): number {
  let [low, high] = [0, thresholds.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (thresholds[middle] <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function encode(coding: TableCoding, x: number, rounding: Rounding, u: number): number {
  if (Number.isNaN(x)) return coding.nan;
  if (x === Infinity) return coding.infinity;
  if (x === -Infinity) return coding.negativeInfinity;
  const { codes, thresholds } = coding;
  if (rounding !== "stochastic") return codes[rankOf(thresholds[rounding], orderKey(x))];
  return codes[rankByChance(coding, x, u)];
}

/** All in float32, as in kernels. */
function rankByChance({ codes, values, thresholds }: TableCoding, x: number, u: number): number {
  const valueAt = (rank: number): number => Math.fround(values[codes[rank]]);
  const rank = rankOf(thresholds.floor, orderKey(x));
  const distance = Math.fround(x - valueAt(rank));
  const other = Math.max(0, Math.min(codes.length - 1, rank + Math.sign(distance)));
  const gap = Math.abs(Math.fround(valueAt(other) - valueAt(rank)));
  const moves = Math.fround(Math.fround((u >>> 8) * 2 ** -24) * gap) < Math.abs(distance);
  return moves ? other : rank;
}
