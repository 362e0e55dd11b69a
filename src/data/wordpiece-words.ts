/** Parting text into the words and signs that word pieces are made of, as BERT does. */

/** What is done to text before it is parted. */
export interface WordpieceCase {
  /** Letters become small; `do_lower_case`. */
  readonly lowerCase: boolean;
  /** Characters are decomposed (NFD) and lose their non-spacing marks; `strip_accents`. */
  readonly stripAccents: boolean;
  /** Each Chinese character is a word of its own; `tokenize_chinese_chars`. */
  readonly chineseApart: boolean;
}

/** Runs between white space: what is done to a text is done to each of them alone. */
export const wordpieceRuns = /[^\p{Z}\t\n\r]+/gu;

/** What no word keeps: NUL and other controls, signs of format, private ones, halves of surrogate pairs, and U+FFFD. */
const dropped = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u{fffd}]/gu;

/** The blocks of Chinese characters; Japanese and Korean letters are in others. @source google-research/bert, tokenization.py. */
const chinese =
  /[\u{3400}-\u{4dbf}\u{4e00}-\u{9fff}\u{f900}-\u{faff}\u{20000}-\u{2a6df}\u{2a700}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

/** A sign (ASCII's of any category, Unicode's punctuation), or a run of anything else. */
const parts = /[\p{P}$+<=>^`|~]|[^\p{P}$+<=>^`|~\s]+/gu;

/**
 * The words and signs of a run without white space, in order.
 *
 * Small letters come before the accents go, and nothing is composed (NFC) where accents stay.
 *
 * @source Devlin et al. 2019, BERT; google-research/bert, tokenization.py, BasicTokenizer. Of what is dropped, private characters
 *   and halves of pairs are Hugging Face's addition.
 */
export function wordsOfRun(run: string, { lowerCase, stripAccents, chineseApart }: WordpieceCase): string[] {
  const clean = run.replaceAll(dropped, "");
  const apart = chineseApart ? clean.replaceAll(chinese, " $& ") : clean;
  const cased = lowerCase ? apart.toLowerCase() : apart;
  const plain = stripAccents ? cased.normalize("NFD").replaceAll(/\p{Mn}/gu, "") : cased;
  return plain.match(parts) ?? [];
}
