/** Symbols that encoders add to a vocabulary. */

/** Numbers of the special symbols, after those of the text. */
export interface SpecialSymbols {
  /** Symbols of the text alone. */
  readonly text: number;
  /** Begins every sequence: [CLS]. */
  readonly start: number;
  /** Ends every text: [SEP]. */
  readonly end: number;
  /** Stands where a symbol is hidden: [MASK]. */
  readonly mask: number;
  /** All symbols, what the model's vocabulary has to be. */
  readonly vocabulary: number;
}

/** The special symbols beside so many symbols of a text. */
export const specialSymbols = (text: number): SpecialSymbols => ({
  text,
  start: text,
  end: text + 1,
  mask: text + 2,
  vocabulary: text + 3,
});
