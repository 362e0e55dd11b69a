/** The header of an npy file: a Python dictionary of three entries, of which no other Python is read. */
import { NpyError } from "./npy-error.ts";

/** Most axes an array may have: NumPy's own limit. */
export const maxAxes = 64;

/** A value and the byte of the file where it is written. */
export interface Placed<T> {
  readonly value: T;
  readonly byte: number;
}

export interface NpyHeader {
  readonly descr: Placed<string>;
  readonly fortranOrder: Placed<boolean>;
  readonly shape: Placed<readonly number[]>;
}

type Literal = string | boolean | readonly number[];

/**
 * Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`: the keys in any order, each once, no others.
 *
 * @param offset   byte of the file where the header begins, for errors.
 * @param version  headers are Latin-1 in versions 1 and 2, UTF-8 in 3.
 * @throws NpyError naming the byte where something else stands.
 */
export function parseNpyHeader(
  bytes: Uint8Array,
  offset: number,
  version: 1 | 2 | 3,
  file: string,
): NpyHeader {
  const reader = new HeaderReader(bytes, offset, version, file);
  const entries = reader.dictionary();
  const entry = <T extends Literal>(key: string, wants: string, is: (value: Literal) => value is T) => {
    const found = entries.get(key);
    if (found === undefined) throw new NpyError(file, offset, `its header has no entry '${key}'`);
    if (!is(found.value)) throw new NpyError(file, found.byte, `'${key}' wants ${wants}`);
    return { value: found.value, byte: found.byte };
  };
  const header = {
    descr: entry("descr", "the name of a type, such as '<f4'", (value) => typeof value === "string"),
    fortranOrder: entry("fortran_order", "True or False", (value) => typeof value === "boolean"),
    shape: entry("shape", "a tuple of whole numbers, such as (2, 3)", (value): value is readonly number[] =>
      Array.isArray(value),
    ),
  };
  const stranger = [...entries].find(([key]) => !["descr", "fortran_order", "shape"].includes(key));
  if (stranger)
    throw new NpyError(file, stranger[1].byte, `its header has an unknown entry '${stranger[0]}'`);
  return header;
}

/** Reads along the header; `place` is where it stands. Each byte is one character, since what is read is ASCII. */
class HeaderReader {
  readonly #text: string;
  readonly #offset: number;
  readonly #file: string;
  #place = 0;

  constructor(bytes: Uint8Array, offset: number, version: 1 | 2 | 3, file: string) {
    this.#text = new TextDecoder("latin1").decode(bytes);
    this.#offset = offset;
    this.#file = file;
    if (version === 3) this.#checkUtf8(bytes);
  }

  #checkUtf8(bytes: Uint8Array): void {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw new NpyError(this.#file, this.#offset, "its header is not UTF-8, as version 3.0 wants it");
    }
  }

  #fail(wants: string): never {
    const rest = this.#text.slice(this.#place, this.#place + 12);
    const found = rest === "" ? "the header ends" : `found ${JSON.stringify(rest)}`;
    throw new NpyError(this.#file, this.#offset + this.#place, `its header wants ${wants} here, ${found}`);
  }

  /** Takes what the pattern (sticky) finds after white space; undefined where it finds nothing. */
  #take(pattern: RegExp): RegExpExecArray | undefined {
    while (/\s/.test(this.#text.charAt(this.#place))) this.#place++;
    pattern.lastIndex = this.#place;
    const found = pattern.exec(this.#text) ?? undefined;
    this.#place += found?.[0].length ?? 0;
    return found;
  }

  dictionary(): Map<string, Placed<Literal>> {
    const entries = new Map<string, Placed<Literal>>();
    if (!this.#take(/\{/y)) this.#fail("{");
    while (!this.#take(/\}/y)) {
      const key = this.#take(/'([^'\\]*)'|"([^"\\]*)"/y) ?? this.#fail("a key or }");
      const name = key[1] ?? key[2];
      if (entries.has(name)) this.#fail(`no second '${name}'`);
      if (!this.#take(/:/y)) this.#fail(":");
      entries.set(name, this.#literal(name));
      if (!this.#take(/,|(?=\})/y)) this.#fail(", or }");
    }
    if (!this.#take(/$/y)) this.#fail("nothing more");
    return entries;
  }

  #literal(key: string): Placed<Literal> {
    this.#take(/(?=.)/y); // white space only, so that the byte is the literal's own
    const byte = this.#offset + this.#place;
    const text = this.#take(/'([^'\\]*)'|"([^"\\]*)"/y);
    if (text) return { value: text[1] ?? text[2], byte };
    const truth = this.#take(/(True|False)\b/y);
    if (truth) return { value: truth[1] === "True", byte };
    if (this.#take(/\(/y)) return { value: this.#tuple(), byte };
    if (key === "descr" && this.#take(/\[/y)) {
      throw new NpyError(this.#file, byte, "records of several fields are not read: save one field alone");
    }
    return this.#fail(`a string, True, False or a tuple for '${key}'`);
  }

  /** `(2, 3)`, `(2,)`, `()`; Python 2 wrote long numbers as `2L`. */
  #tuple(): number[] {
    const numbers: number[] = [];
    while (!this.#take(/\)/y)) {
      const digits = this.#take(/(\d+)L?/y) ?? this.#fail("a whole number or )");
      numbers.push(Number(digits[1]));
      if (numbers.length > maxAxes) this.#fail(`at most ${maxAxes} axes`);
      const more = this.#take(/,/y);
      if (!more && numbers.length === 1) this.#fail("a comma: a tuple of one number is (2,)");
      if (!more && !this.#take(/(?=\))/y)) this.#fail(", or )");
    }
    return numbers;
  }
}
