/** Published sizes of language models. */

/** What a preset states: an architecture and its sizes, without the vocabulary, which the text gives. */
export interface LanguagePreset {
  readonly name: "gpt2" | "transformer-lm";
  readonly context: number;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly init: "gpt2" | "pytorch";
  readonly dropout: number;
}

const gpt2 = (layers: number, width: number, heads: number, context = 1024): LanguagePreset => ({
  name: "gpt2",
  context,
  layers,
  width,
  heads,
  init: "gpt2",
  dropout: 0.1,
});

/**
 * By name. GPT-2's four sizes with 50,257 symbols have 124, 355, 774 and 1,558 million parameters.
 *
 * @source Radford et al. 2019, Language models are unsupervised multitask learners, table 2; Bernstein et al. 2020 and its reference
 *   code for `wikitext2-transformer` (20 sequences of 35 words).
 */
export const languagePresets: Readonly<Record<string, LanguagePreset>> = {
  gpt2: gpt2(12, 768, 12),
  "gpt2-medium": gpt2(24, 1024, 16),
  "gpt2-large": gpt2(36, 1280, 20),
  "gpt2-xl": gpt2(48, 1600, 25),
  "gpt2-tiny": gpt2(2, 64, 2, 64),
  "wikitext2-transformer": {
    name: "transformer-lm",
    context: 35,
    layers: 2,
    width: 200,
    heads: 2,
    init: "pytorch",
    dropout: 0.2,
  },
};
