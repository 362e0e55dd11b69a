/** Symbols that encoders need beside those of a text: the vocabulary's own, or such that they add to it. */

/** Numbers of the special symbols. */
export interface SpecialSymbols {
  /** A random symbol is one of the first so many: those of the text alone, or all of a vocabulary that has special ones of its own. */
  readonly text: number;
  /** Begins every sequence: [CLS]. */
  readonly start: number;
  /** Ends every text: [SEP]. */
  readonly end: number;
  /** Stands where a symbol is hidden: [MASK]. */
  readonly mask: number;
  /** Fills up sequences that are shorter than others: [PAD]. No symbol sees it. */
  readonly padding: number;
  /** All symbols, what the model's vocabulary has to be. */
  readonly vocabulary: number;
}

/** The special symbols that are added to so many symbols of a text; what ends a text is padding, too. */
export const specialSymbols = (text: number): SpecialSymbols => ({
  text,
  start: text,
  end: text + 1,
  mask: text + 2,
  padding: text + 1,
  vocabulary: text + 3,
});

/** The vocabulary's own special symbols, else those added to it. */
export const specialSymbolsOf = ({
  special,
  vocabulary,
}: {
  readonly special?: SpecialSymbols;
  readonly vocabulary: number;
}): SpecialSymbols => special ?? specialSymbols(vocabulary);
