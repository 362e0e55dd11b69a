/** Symbols of a text as labels. */
import { specialSymbolsOf } from "../../src/data/special-symbols.ts";
import type { Tokenizer } from "../../src/data/tokenizer.ts";

/** Letters of the longest label. */
const mostLetters = 14;

const visible: Readonly<Record<string, string>> = { " ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥" };

/** Characters that would not be seen, or would turn what follows around. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Zs}]/gu;

/**
 * A label for each symbol: its text with blanks made visible (`␣the`, `↵`), a special symbol's name (`[MASK]`), or, of a byte that is
 * no character by itself, the byte in hexadecimal (`0xC3`).
 */
export function tokenLabels(tokenizer: Tokenizer, symbols: ArrayLike<number>): string[] {
  const { start, end, mask } = specialSymbolsOf(tokenizer);
  const special = new Map([
    [start, "[CLS]"],
    [end, "[SEP]"],
    [mask, "[MASK]"],
  ]);
  return Array.from(symbols, (symbol) => special.get(symbol) ?? labelOf(tokenizer, symbol));
}

function labelOf(tokenizer: Tokenizer, symbol: number): string {
  const text = tokenizer.decode([symbol]);
  if (tokenizer.name === "bytes" && (text === "\uFFFD" || symbol > 0x7f)) return hexadecimal(symbol, 2);
  const shown = text.replaceAll(unseen, (c) => visible[c] ?? hexadecimal(c.codePointAt(0) ?? 0, 2));
  const letters = [...shown];
  if (letters.length === 0) return `#${symbol}`;
  return letters.length <= mostLetters ? shown : `${letters.slice(0, mostLetters - 1).join("")}…`;
}

const hexadecimal = (value: number, digits: number): string =>
  `0x${value.toString(16).toUpperCase().padStart(digits, "0")}`;
