/** The text that a sample goes on from, as symbols. */
import type { Tokenizer } from "../src/data/tokenizer.ts";

/**
 * Symbols of a prompt. Words have a symbol for the end of a line, which `encode` puts after every line: a prompt that does not end in a
 * line break is gone on with in its last line. Of white space alone word pieces keep nothing: what ends a text stands for it.
 *
 * @throws TokenizerError for what the vocabulary does not have.
 */
export function promptSymbols(tokenizer: Tokenizer, prompt: string): ArrayLike<number> {
  const symbols = tokenizer.encode(prompt);
  if (symbols.length === 0 && tokenizer.special) return [tokenizer.special.end];
  const isOpen = tokenizer.name === "words" && !prompt.endsWith("\n");
  return isOpen && symbols.length > 1 ? symbols.subarray(0, -1) : symbols;
}
