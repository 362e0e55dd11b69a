/** Between Hugging Face's folders and run folders. */
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { byteTokenizer } from "../src/data/byte-tokenizer.ts";
import type { Tokenizer } from "../src/data/tokenizer.ts";
import { writeFileAtomic } from "../src/io/atomic-file.ts";
import { FileError } from "../src/io/file-error.ts";
import { readBytes } from "../src/io/read-file.ts";
import { decodeSafetensors, encodeSafetensors } from "../src/io/safetensors.ts";
import {
  type Gpt2Weights,
  HuggingFaceError,
  readHuggingFaceGpt2,
  writeHuggingFaceGpt2,
} from "../src/models/huggingface-gpt2.ts";
import { dequantise } from "../src/ops/quantise.ts";
import { readTensor } from "../src/tensor/tensor.ts";
import { readEnvironment } from "../src/train/environment.ts";
import { isJsonObject, type JsonObject } from "../src/train/json.ts";
import { createRunFolder } from "../src/train/run-folder.ts";
import { keepTokenizer } from "../src/train/run-tokenizer.ts";
import type { ConfigAssignment } from "./command.ts";
import { resolveConfig, type LanguageConfig } from "./config/resolve.ts";
import { UsageError } from "./errors.ts";
import { publishedTokenizer, tokenizerIn } from "./language-data.ts";
import { checkpointOf } from "./run-checkpoint.ts";
import { expectLanguage, type LanguageSession, openLanguage, openRun } from "./session.ts";
import { packageVersion } from "./version.ts";

const modelFile = "model.safetensors";

/** Whether a folder holds a model as Hugging Face publishes it. */
export const isHuggingFace = (folder: string): boolean => existsSync(join(folder, modelFile));

/** What a conversion made. */
export interface Converted {
  readonly folder: string;
  readonly parameters: number;
}

/**
 * Makes a run of a published GPT-2: it can be sampled from, scored and trained on (`train --resume <run> --data <text>`).
 *
 * @param assignments  of the run's configuration: the optimiser and the precision that the weights go into.
 * @throws HuggingFaceError for what is no GPT-2, and what reading and writing throw.
 */
export async function toRun(
  from: string,
  to: string,
  assignments: readonly ConfigAssignment[],
  cwd: string,
): Promise<Converted> {
  const published = await readPublished(from);
  const config = await configFor(published, assignments, cwd);
  const tokenizer = await tokenizerFor(from, config, published.config.vocabulary);
  const session = await openLanguage(config, tokenizer, published.weights);
  try {
    const { threads, trainer } = session;
    const environment = await readEnvironment({ logrung: packageVersion(), threads, seed: config.seed });
    const run = await createRunFolder({ recipe: config.recipe, config, environment, path: to });
    try {
      await keepTokenizer(run.path, tokenizer.files);
      const checkpoint = await checkpointOf(session, { step: 0, seconds: 0, corpus: "" });
      await run.saveCheckpoint(0, checkpoint, config.checkpoint.keep);
    } finally {
      await run.close();
    }
    return { folder: run.path, parameters: trainer.parameterCount };
  } finally {
    await session.close();
  }
}

async function readPublished(folder: string): Promise<Gpt2Weights> {
  if (existsSync(join(folder, `${modelFile}.index.json`)))
    throw new HuggingFaceError(`"${folder}" is in several files; one ${modelFile} is read`);
  const config = await readJson(join(folder, "config.json"));
  const path = join(folder, modelFile);
  return readHuggingFaceGpt2({ config, tensors: decodeSafetensors(await readBytes(path), path).tensors });
}

async function readJson(path: string): Promise<JsonObject> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new FileError("read", path, cause);
  });
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw new HuggingFaceError(`"${path}" is not JSON: ${(cause as Error).message}`);
  }
  throw new HuggingFaceError(`"${path}" is not a JSON object`);
}

async function configFor(
  { config: { layers, width, heads, context, init, hidden } }: Gpt2Weights,
  assignments: readonly ConfigAssignment[],
  cwd: string,
): Promise<LanguageConfig> {
  const model: JsonObject = { name: "gpt2", layers, width, heads, context, init, ...(hidden ? { hidden } : {}) };
  const changed = assignments.find(({ key }) => key.startsWith("model.") && key !== "model.dropout");
  if (changed) throw new UsageError(`--${changed.key}: a converted model keeps its sizes`);
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

/**
 * Writes a run's GPT-2 as Hugging Face publishes it, its weights in float32; of byte pairs the vocabulary, too.
 *
 * @throws UsageError for a run of another model, or a folder that holds a model already.
 */
export async function toHuggingFace(
  run: string,
  to: string,
  checkpoint: string | undefined,
): Promise<Converted> {
  if (isHuggingFace(to)) throw new UsageError(`"${to}" already holds a ${modelFile}`);
  const session = expectLanguage(await openRun(run, checkpoint), "convert");
  try {
    const { config, trainer, tokenizer } = session;
    if (config.model.name !== "gpt2")
      throw new UsageError(`convert writes runs of gpt2, this one is of ${config.model.name}`);
    const weights = await trainer.evaluating(() => floatWeights(session));
    const { dropout: _, preset: __, name: ___, ...sizes } = config.model;
    const written = writeHuggingFaceGpt2({ config: { ...sizes, vocabulary: tokenizer.vocabulary }, weights });
    await mkdir(to, { recursive: true }).catch((cause: unknown) => {
      throw new FileError("write", to, cause);
    });
    for (const [file, text] of vocabularyOf(tokenizer)) await writeFileAtomic(join(to, file), text);
    await writeFileAtomic(join(to, "config.json"), `${JSON.stringify(written.config, null, 2)}\n`);
    const parts = encodeSafetensors(Object.fromEntries(written.tensors), { format: "pt" }, modelFile);
    await writeFileAtomic(join(to, modelFile), parts);
    return { folder: to, parameters: trainer.parameterCount };
  } finally {
    await session.close();
  }
}

/** Every weight as the numbers it stands for. */
async function floatWeights({ device, trainer }: LanguageSession): Promise<Map<string, Float32Array>> {
  const weights = new Map<string, Float32Array>();
  for (const { name, tensor } of trainer.model.parameters) {
    const values = await device.step(() => device.tape.without(() => readTensor(dequantise(tensor))));
    weights.set(name, Float32Array.from(values));
  }
  return weights;
}

const huggingFaceNames: Readonly<Record<string, string>> = {
  "encoder.json": "vocab.json",
  "vocab.bpe": "merges.txt",
};

const vocabularyOf = ({ files }: Tokenizer): [string, string][] =>
  Object.entries(files).map(([name, text]) => [huggingFaceNames[name] ?? name, text]);
