/** Training an encoder on hidden symbols of a text. */
import type { LanguageData } from "../../src/data/language-data.ts";
import { type MaskedPlan, maskedShare } from "../../src/data/masked-batches.ts";
import { specialSymbolsOf } from "../../src/data/special-symbols.ts";
import type { Tokenizer } from "../../src/data/tokenizer.ts";
import { trainingLoop } from "../../src/train/loop.ts";
import { maskedFeed } from "../../src/train/masked-trainer.ts";
import { attentionToText, maskedOf } from "../attention/texts.ts";
import type { MaskedConfig } from "../config/resolve.ts";
import { loadLanguage } from "../language-data.ts";
import { type MaskedSession, openMasked } from "../session.ts";
import { transformerSizes, textLine } from "./lines.ts";
import type { Prepared, Work } from "./work.ts";

/**
 * Reads the text.
 *
 * @param kept  the tokeniser of a run that goes on.
 * @throws what {@link loadLanguage} throws.
 */
export async function prepareMasked(config: MaskedConfig, kept?: Tokenizer): Promise<Prepared> {
  const data = await loadLanguage(config, kept);
  const { name, sha256, tokenizer } = data;
  const open = async (): Promise<Work> => workOf(await openMasked(config, tokenizer), data);
  return { name, sha256, tokenizerFiles: tokenizer.files, open };
}

/** What every batch of a run has in common. */
export const maskedPlan = ({
  config,
  tokenizer,
}: Pick<MaskedSession, "config" | "tokenizer">): MaskedPlan => ({
  seed: config.seed,
  rows: config.batch,
  context: config.model.context,
  symbols: specialSymbolsOf(tokenizer),
});

function workOf(session: MaskedSession, data: LanguageData): Work {
  const { config, trainer, tokenizer } = session;
  const feed = maskedFeed(data, { ...maskedPlan(session), limit: config.evaluate.batches });
  const example = maskedOf(session, data.validation, maskedPlan(session)); // files are closed when it is shown
  return {
    session,
    sizes: transformerSizes(config),
    data: `${textLine(data, config.data.level, tokenizer.vocabulary)}, ${100 * maskedShare} % of each window hidden`,
    loop: (options) => trainingLoop({ ...options, trainer, feed }).finally(() => data.close()),
    figures({ validation, rate }) {
      const { loss = Number.NaN, accuracy = Number.NaN } = validation ?? {};
      return { validation: { loss, perplexity: Math.exp(loss), accuracy }, tokensPerSecond: rate };
    },
    show: async () => ({ sample: null, ...(await attentionToText(session, example)) }),
  };
}
