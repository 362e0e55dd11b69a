/** Published sizes of encoders. */

/** What a preset states: an architecture and its sizes, without the vocabulary, which the text gives. */
export interface EncoderPreset {
  readonly name: "bert";
  readonly context: number;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly init: "bert";
  readonly dropout: number;
}

const bert = (layers: number, width: number, heads: number): EncoderPreset => ({
  name: "bert",
  context: 512,
  layers,
  width,
  heads,
  init: "bert",
  dropout: 0.1,
});

/**
 * By name. With BERT's 30,522 symbols and their poolers, base and large have 109,482,240 and 335,141,888 parameters.
 *
 * @source Devlin et al. 2019, BERT, section 3 (base, large); Turc et al. 2019, Well-read students learn better (the others).
 */
export const encoderPresets: Readonly<Record<string, EncoderPreset>> = {
  "bert-base": bert(12, 768, 12),
  "bert-large": bert(24, 1024, 16),
  "bert-medium": bert(8, 512, 8),
  "bert-small": bert(4, 512, 8),
  "bert-mini": bert(4, 256, 4),
  "bert-tiny": bert(2, 128, 2),
};
