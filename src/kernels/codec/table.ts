/** Programs for formats given by the values of their codes: a binary search over thresholds. */
import type { Rounding, TableCoding } from "../../formats/format.ts";
import { i32, select, Table, u32, type Value } from "../program.ts";
import { uniformFloat } from "../random.ts";

interface Tables {
  /** Place in the sorted values → code. */
  readonly codes: Table;
  /** The same → value. */
  readonly ranked: Table;
  /** Code → value. */
  readonly values: Table;
  readonly thresholds: Readonly<Record<"nearest-even" | "nearest-away" | "floor", Table>>;
}

const cache = new WeakMap<TableCoding, Tables>();

/** Steps of the search: it runs over 2^depth places, of which the last ones may repeat the highest value. */
const depthOf = ({ codes }: TableCoding): number => Math.ceil(Math.log2(codes.length));

function tablesOf(coding: TableCoding): Tables {
  const known = cache.get(coding);
  if (known) return known;
  const places = 2 ** depthOf(coding);
  const padded = Uint32Array.from(
    { length: places },
    (_, i) => coding.codes[Math.min(i, coding.codes.length - 1)],
  );
  const search = (thresholds: Int32Array): Table => {
    const entries = new Uint32Array(places).fill(0x7fffffff);
    entries.set(thresholds, 1);
    return new Table(entries);
  };
  const { thresholds } = coding;
  const tables = {
    codes: new Table(padded),
    ranked: new Table(Float32Array.from(padded, (code) => coding.values[code])),
    values: new Table(Float32Array.from(coding.values)),
    thresholds: {
      "nearest-even": search(thresholds["nearest-even"]),
      "nearest-away": search(thresholds["nearest-away"]),
      floor: search(thresholds.floor),
    },
  };
  cache.set(coding, tables);
  return tables;
}

/** The code of x; NaN and infinities apart. */
export function encodeTable(coding: TableCoding, x: Value, rounding: Rounding, noise?: Value): Value {
  const { codes, thresholds } = tablesOf(coding);
  const bits = x.asI32();
  const key = bits.xor(bits.shr(31).and(0x7fffffff));
  const chance = rounding === "stochastic" && noise !== undefined;
  const rank = rankOf(coding, thresholds[rounding === "stochastic" ? "floor" : rounding], key);
  const code = codes.at(chance ? byChance(coding, x, rank, noise) : rank);
  const upper = x.eq(Infinity);
  const finite = select(
    upper,
    u32(coding.infinity),
    select(x.eq(-Infinity), u32(coding.negativeInfinity), code),
  );
  return select(x.eq(x), finite, u32(coding.nan));
}

/** How many thresholds are at most `key`, by halving. */
function rankOf(coding: TableCoding, thresholds: Table, key: Value): Value {
  let rank = i32(0);
  for (let step = 2 ** depthOf(coding) / 2; step >= 1; step /= 2) {
    const next = rank.add(step);
    rank = select(thresholds.at(next).asI32().le(key), next, rank);
  }
  return rank;
}

/** The place nearer zero, or the one on the other side of x. */
function byChance(coding: TableCoding, x: Value, rank: Value, noise: Value): Value {
  const { ranked } = tablesOf(coding);
  const value = ranked.at(rank);
  const distance = x.sub(value);
  const side = distance.gt(0).toI32().sub(distance.lt(0).toI32());
  const other = rank
    .add(side)
    .max(0)
    .min(coding.codes.length - 1);
  const gap = ranked.at(other).sub(value).abs();
  const moves = uniformFloat(noise).mul(gap).lt(distance.abs());
  return select(moves, other, rank);
}

export function decodeTableCode(coding: TableCoding, code: Value): Value {
  return tablesOf(coding).values.at(code);
}
