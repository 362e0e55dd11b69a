/** Roots of what codes stand for, read at once: a table in place of a decoding, a root and a division. */
import { format as formatOf } from "../formats/index.ts";
import { f32, select, Table, type Value } from "../kernels/program.ts";
import { readHeld, type Held } from "./held.ts";

const tables = new Map<string, Table>();

/** Wider codes would need tables that do not fit beside the data in cache. */
const WIDEST = 8;

/** √(value · scale), or its reciprocal (0 for zero), of a stored second moment. */
function rootTable(name: string, scale: number, inverse: boolean): Table {
  const key = `${name} ${scale} ${inverse}`;
  const known = tables.get(key);
  if (known) return known;
  const { bits, decode } = formatOf(name);
  const table = new Table(
    Float32Array.from({ length: 2 ** bits }, (_, code) => {
      const root = Math.sqrt(Math.max(0, decode(code)) * scale);
      return inverse ? (root > 0 ? 1 / root : 0) : root;
    }),
  );
  tables.set(key, table);
  return table;
}

const tabled = (held: Held): held is NonNullable<Held> =>
  held !== null && formatOf(held.format).bits <= WIDEST;

/** √(v · scale) of a stored second moment v. */
export function storedRoot(held: Held, stored: Value, scale: number): Value {
  if (tabled(held)) return rootTable(held.format, scale, false).at(stored);
  return readHeld(held, stored).mul(scale).sqrt();
}

/** 1 / √(v · scale); 0 where v is 0. */
export function storedInverseRoot(held: Held, stored: Value, scale: number): Value {
  if (tabled(held)) return rootTable(held.format, scale, true).at(stored);
  const root = readHeld(held, stored).mul(scale).sqrt();
  return select(root.gt(0), f32(1).div(root), f32(0));
}
