/** A GPT-2 of Hugging Face as a run, and a run as one. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { byteTokenizer } from "../src/data/byte-tokenizer.ts";
import type { Tokenizer } from "../src/data/tokenizer.ts";
import { type HuggingFaceCheckpoint, HuggingFaceError } from "../src/models/huggingface.ts";
import {
  type Gpt2Weights,
  readHuggingFaceGpt2,
  writeHuggingFaceGpt2,
} from "../src/models/huggingface-gpt2.ts";
import type { JsonObject } from "../src/train/json.ts";
import type { ConfigAssignment } from "./command.ts";
import { resolveConfig, type LanguageConfig } from "./config/resolve.ts";
import { UsageError } from "./errors.ts";
import { floatWeights } from "./published-folder.ts";
import { type LanguageSession, openLanguage, type Session } from "./session.ts";
import { publishedTokenizer, tokenizerIn } from "./vocabulary.ts";

/** A published model that becomes a run. */
export interface ConversionRequest {
  readonly published: HuggingFaceCheckpoint;
  /** Its folder. */
  readonly from: string;
  readonly assignments: readonly ConfigAssignment[];
  readonly cwd: string;
}

/** A session with a published model's weights, and what its run keeps beside them. */
export interface ConvertedSession {
  readonly session: Session;
  readonly files: Readonly<Record<string, string>>;
}

/** What a run is published as. */
export interface PublishedFiles {
  readonly published: HuggingFaceCheckpoint;
  readonly files: Readonly<Record<string, string>>;
}

/** @throws HuggingFaceError for what is no GPT-2, UsageError for other sizes. */
export async function gpt2Run({
  published,
  from,
  assignments,
  cwd,
}: ConversionRequest): Promise<ConvertedSession> {
  const read = readHuggingFaceGpt2(published);
  const config = await configFor(read, assignments, cwd);
  const tokenizer = await tokenizerFor(from, config, read.config.vocabulary);
  return { session: await openLanguage(config, tokenizer, read.weights), files: tokenizer.files };
}

/** @throws UsageError for sizes that are given. */
export function expectOwnSizes(assignments: readonly ConfigAssignment[]): void {
  const changed = assignments.find(({ key }) => key.startsWith("model.") && key !== "model.dropout");
  if (changed) throw new UsageError(`--${changed.key}: a converted model keeps its sizes`);
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

/** The folder's own, or the published one. @throws HuggingFaceError when its size is not the model's. */
async function tokenizerFor(
  folder: string,
  { data }: LanguageConfig,
  vocabulary: number,
): Promise<Tokenizer> {
  const found = await tokenizerOfLevel(folder, data);
  if (found.vocabulary === vocabulary) return found;
  throw new HuggingFaceError(
    `the model has ${vocabulary} symbols, the tokeniser (${data.level}) ${found.vocabulary}; name its folder: --data.vocabulary`,
  );
}

async function tokenizerOfLevel(
  folder: string,
  { level, vocabulary, dir }: LanguageConfig["data"],
): Promise<Tokenizer> {
  if (vocabulary !== undefined) return tokenizerIn(vocabulary, level);
  if (level === "bytes") return byteTokenizer;
  const hasOwn = level !== "gpt2" || existsSync(join(folder, "merges.txt"));
  return hasOwn ? tokenizerIn(folder, level) : publishedTokenizer(dir);
}

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
