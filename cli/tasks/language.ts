/** Training a language model on a text. */
import type { LanguageData } from "../../src/data/language-data.ts";
import type { Tokenizer } from "../../src/data/tokenizer.ts";
import { sample } from "../../src/models/sample.ts";
import { breathe } from "../../src/train/breathe.ts";
import { textFeed } from "../../src/train/language-trainer.ts";
import { trainingLoop } from "../../src/train/loop.ts";
import type { Sample } from "../../src/train/run-summary.ts";
import { attentionToText, firstOf } from "../attention/texts.ts";
import type { LanguageConfig } from "../config/resolve.ts";
import { loadLanguage } from "../language-data.ts";
import { promptSymbols } from "../prompt.ts";
import { openLanguage, type LanguageSession } from "../session.ts";
import { transformerSizes, textLine } from "./lines.ts";
import type { Prepared, Work } from "./work.ts";

/**
 * Reads the text.
 *
 * @param kept  the tokeniser of a run that goes on.
 * @throws what {@link loadLanguage} throws.
 */
export async function prepareLanguage(config: LanguageConfig, kept?: Tokenizer): Promise<Prepared> {
  const data = await loadLanguage(config, kept);
  const { name, sha256, tokenizer } = data;
  const open = async (): Promise<Work> => workOf(await openLanguage(config, tokenizer), data);
  return { name, sha256, tokenizerFiles: tokenizer.files, open };
}

function workOf(session: LanguageSession, data: LanguageData): Work {
  const { config, trainer } = session;
  const { context } = config.model;
  const { seed, batch: rows, evaluate } = config;
  const feed = textFeed(data, { seed, rows, context, limit: evaluate.batches });
  // Refused now rather than at the end.
  if (config.sample.length > 0) promptSymbols(session.tokenizer, promptOf(config));
  const example = firstOf(session, data.validation); // files are closed when it is shown
  return {
    session,
    sizes: transformerSizes(config),
    data: textLine(data, config.data.level, trainer.model.vocabulary),
    loop: (options) => trainingLoop({ ...options, trainer, feed }).finally(() => data.close()),
    figures({ validation, rate }) {
      const loss = validation?.loss ?? Number.NaN;
      return { validation: { loss, perplexity: Math.exp(loss) }, tokensPerSecond: rate };
    },
    show: async (signal) => ({
      sample: await sampleOf(session, signal),
      ...(await attentionToText(session, example)),
    }),
  };
}

const promptOf = ({ sample: { prompt } }: LanguageConfig): string => (prompt === "" ? "\n" : prompt);

/** What the model writes; shorter where the user stops it. */
async function sampleOf(
  { config, device, policy, trainer, tokenizer }: LanguageSession,
  signal: AbortSignal,
): Promise<Sample | null> {
  const { length, temperature, topK } = config.sample;
  if (length === 0) return null;
  const prompt = promptOf(config);
  const symbols = promptSymbols(tokenizer, prompt);
  const stream = tokenizer.stream();
  stream.push(symbols);
  const options = { length, temperature, topK, seed: config.seed };
  let text = "";
  for await (const symbol of sample(device, trainer.model, policy, symbols, options)) {
    text += stream.push([symbol]);
    await breathe();
    if (signal.aborted) break;
  }
  return { prompt, text: text + stream.end() };
}
