/** Training a language model on a text. */
import { byteTokenizer } from "../../src/data/byte-tokenizer.ts";
import { splitCorpus, type Corpus, type Split } from "../../src/data/corpus.ts";
import { loadOwnSource } from "../../src/data/own-source.ts";
import { loadText } from "../../src/data/text.ts";
import { sample } from "../../src/models/sample.ts";
import { breathe } from "../../src/train/breathe.ts";
import { textFeed } from "../../src/train/language-trainer.ts";
import { trainingLoop } from "../../src/train/loop.ts";
import { formatCount } from "../../src/train/progress.ts";
import type { Sample } from "../../src/train/run-summary.ts";
import type { LanguageConfig } from "../config/resolve.ts";
import { openLanguage, type LanguageSession } from "../session.ts";
import type { Prepared, Work } from "./work.ts";

/** The text a configuration names, or the project's own. */
export function loadCorpus({ data }: LanguageConfig): Promise<Corpus> {
  return data.path === undefined ? loadOwnSource() : loadText(data.path, { encoding: data.encoding });
}

export function splitOf(config: LanguageConfig, corpus: Corpus): Split {
  return splitCorpus(corpus, config.model.context, config.data.validationFraction);
}

/** Reads the text. @throws DataError for one that is too short. */
export async function prepareLanguage(config: LanguageConfig): Promise<Prepared> {
  const corpus = await loadCorpus(config);
  const split = splitOf(config, corpus);
  const open = async (): Promise<Work> => workOf(await openLanguage(config), corpus, split);
  return { name: corpus.name, sha256: corpus.sha256, open };
}

function workOf(session: LanguageSession, corpus: Corpus, split: Split): Work {
  const { config, trainer } = session;
  const { layers, width, heads, context } = config.model;
  const { seed, batch: rows, evaluate } = config;
  const feed = textFeed(split, { seed, rows, context, limit: evaluate.batches });
  return {
    session,
    sizes: `${layers} layers, width ${width}, ${heads} heads, context ${context}`,
    data: `text     ${corpus.name}, ${formatCount(corpus.bytes.length)} bytes`,
    loop: (options) => trainingLoop({ ...options, trainer, feed }),
    figures({ validation, rate }) {
      const loss = validation?.loss ?? Number.NaN;
      return { validation: { loss, perplexity: Math.exp(loss) }, tokensPerSecond: rate };
    },
    show: async (signal) => ({ sample: await sampleOf(session, signal) }),
  };
}

/** What the model writes; shorter where the user stops it. */
async function sampleOf(
  { config, device, policy, trainer }: LanguageSession,
  signal: AbortSignal,
): Promise<Sample | null> {
  const { length, temperature, topK } = config.sample;
  if (length === 0) return null;
  const prompt = config.sample.prompt === "" ? "\n" : config.sample.prompt;
  const stream = byteTokenizer.stream();
  const options = { length, temperature, topK, seed: config.seed };
  let text = "";
  for await (const symbol of sample(device, trainer.model, policy, byteTokenizer.encode(prompt), options)) {
    text += stream.push([symbol]);
    await breathe();
    if (signal.aborted) break;
  }
  return { prompt, text: text + stream.end() };
}
