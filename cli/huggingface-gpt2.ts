/** A GPT-2 of Hugging Face as a run, and a run as one. */
import {
  type Gpt2Weights,
  readHuggingFaceGpt2,
  writeHuggingFaceGpt2,
} from "../src/models/huggingface-gpt2.ts";
import type { JsonObject } from "../src/train/json.ts";
import type { ConfigAssignment } from "./command.ts";
import { resolveConfig, type LanguageConfig } from "./config/resolve.ts";
import {
  type ConversionRequest,
  type ConvertedSession,
  expectOwnSizes,
  type PublishedFiles,
  tokenizerFor,
} from "./conversion.ts";
import { UsageError } from "./errors.ts";
import { floatWeights } from "./published-folder.ts";
import { type LanguageSession, openLanguage } from "./session.ts";

/** @throws HuggingFaceError for what is no GPT-2, UsageError for other sizes. */
export async function gpt2Run({
  published,
  from,
  assignments,
  cwd,
}: ConversionRequest): Promise<ConvertedSession> {
  const read = readHuggingFaceGpt2(published);
  const config = await configFor(read, assignments, cwd);
  const tokenizer = await tokenizerFor(
    from,
    config.data,
    read.config.vocabulary,
    (found) => found.vocabulary,
  );
  return { session: await openLanguage(config, tokenizer, read.weights), files: tokenizer.files };
}

async function configFor(
  { config: { layers, width, heads, context, init, hidden } }: Gpt2Weights,
  assignments: readonly ConfigAssignment[],
  cwd: string,
): Promise<LanguageConfig> {
  const model: JsonObject = { name: "gpt2", layers, width, heads, context, init, ...(hidden ? { hidden } : {}) };
  expectOwnSizes(assignments);
  const base = { recipe: "huggingface", data: { level: "gpt2" }, model };
  const config = await resolveConfig({ base, assignments, cwd });
  if (config.task === "language") return config;
  throw new UsageError(`--task=${config.task}: GPT-2 is a language model`);
} // prettier-ignore

/** A run's GPT-2 and, of byte pairs, its vocabulary; null for another language model. */
export async function gpt2Files(session: LanguageSession): Promise<PublishedFiles | null> {
  const { config, tokenizer } = session;
  if (config.model.name !== "gpt2") return null;
  const { dropout: _, preset: __, name: ___, ...sizes } = config.model;
  const published = writeHuggingFaceGpt2({
    config: { ...sizes, vocabulary: tokenizer.vocabulary },
    weights: await floatWeights(session),
  });
  const named = Object.entries(tokenizer.files).map(([name, text]) => [huggingFaceNames[name] ?? name, text]);
  return { published, files: Object.fromEntries(named) };
}

const huggingFaceNames: Readonly<Record<string, string>> = {
  "encoder.json": "vocab.json",
  "vocab.bpe": "merges.txt",
};
