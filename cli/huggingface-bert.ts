/** A BERT of Hugging Face as a run, and a run as one. */
import { specialSymbolsOf } from "../src/data/special-symbols.ts";
import type { Tokenizer } from "../src/data/tokenizer.ts";
import type { EncoderHead } from "../src/models/encoder.ts";
import { type HuggingFaceCheckpoint, HuggingFaceError } from "../src/models/huggingface.ts";
import {
  type BertWeights,
  huggingFaceBertShape,
  readHuggingFaceBert,
  writeHuggingFaceBert,
} from "../src/models/huggingface-bert.ts";
import type { JsonObject } from "../src/train/json.ts";
import { resolveConfig, type MaskedConfig, type TextsConfig } from "./config/resolve.ts";
import {
  type ConversionRequest,
  type ConvertedSession,
  expectOwnSizes,
  type PublishedFiles,
  tokenizerFor,
} from "./conversion.ts";
import { UsageError } from "./errors.ts";
import { classesFile } from "./kept-classes.ts";
import { loadLabelled } from "./labelled-texts.ts";
import { floatWeights } from "./published-folder.ts";
import { type MaskedSession, openMasked, openTexts, type TextsSession } from "./session.ts";

const symbolsOf = (tokenizer: Tokenizer): number => specialSymbolsOf(tokenizer).vocabulary;

/**
 * The run learns what the model's head tells. With `--task=texts`, and for a model without a head, that is the classes of the labelled
 * texts that are given: the head is new then, the encoder and its pooler are the published ones.
 *
 * @throws HuggingFaceError for what is no BERT, UsageError for other sizes and other tasks.
 */
export async function bertRun(request: ConversionRequest): Promise<ConvertedSession> {
  const { published, from } = request;
  const shape = huggingFaceBertShape(published);
  const config = await configFor(shape, request);
  const tokenizer = await tokenizerFor(from, config.data, shape.config.vocabulary, symbolsOf);
  if (config.task === "texts") return textsRun(config, tokenizer, published, shape.head);
  if (shape.head !== "masked")
    throw new HuggingFaceError("no head for hidden symbols (cls.predictions), wants --task=texts");
  const { weights } = readHuggingFaceBert(published);
  return { session: await openMasked(config, tokenizer, weights), files: tokenizer.files };
}

async function textsRun(
  config: TextsConfig,
  tokenizer: Tokenizer,
  published: HuggingFaceCheckpoint,
  head: EncoderHead,
): Promise<ConvertedSession> {
  const headless = typeof head !== "object";
  const { labels, weights } = readHuggingFaceBert(published, { headless });
  const classes = labels ?? (await classesGiven(config, tokenizer));
  const session = await openTexts(config, tokenizer, classes, weights);
  return { session, files: { ...tokenizer.files, [classesFile]: `${JSON.stringify(classes)}\n` } };
}

async function classesGiven(config: TextsConfig, tokenizer: Tokenizer): Promise<readonly string[]> {
  if (config.data.path === undefined)
    throw new UsageError("this model has no head for classes: name texts whose classes it is to learn with --data <file>");
  return (await loadLabelled(config, { tokenizer })).classes;
} // prettier-ignore

async function configFor(
  { config: { layers, width, heads, context, hidden = 4 * width, init }, head }: Pick<BertWeights, "config" | "head">,
  { published, assignments, cwd }: ConversionRequest,
): Promise<MaskedConfig | TextsConfig> {
  expectOwnSizes(assignments);
  const dropout = dropoutOf(published.config);
  const model: JsonObject = { name: "bert", layers, width, heads, context, hidden, init, dropout };
  const task = head === "masked" ? "masked" : "texts";
  const base = { task, recipe: "huggingface", data: { level: "wordpiece" }, model };
  const config = await resolveConfig({ base, assignments, cwd });
  if (config.task === "masked" || config.task === "texts") return config;
  throw new UsageError(`--task=${config.task}: BERT tells hidden symbols (masked) or classes of texts (texts)`);
} // prettier-ignore

/** That of hidden values, which is that of attention's probabilities in every BERT that Google published; unsaid, theirs. */
function dropoutOf({ hidden_dropout_prob: share = 0.1 }: HuggingFaceCheckpoint["config"]): number {
  if (typeof share === "number" && share >= 0 && share < 1) return share;
  throw new HuggingFaceError(
    `config.json: "hidden_dropout_prob" is ${JSON.stringify(share)}, wants a share from 0 to below 1`,
  );
}

/** A run's BERT with its vocabulary, and the names of its classes; null for another encoder. */
export async function bertFiles(session: MaskedSession | TextsSession): Promise<PublishedFiles | null> {
  const { config, tokenizer } = session;
  const { layers, width, heads, context, hidden, init, dropout, name } = config.model;
  if (name !== "bert") return null;
  const special = specialSymbolsOf(tokenizer);
  const sizes = { layers, width, heads, context, hidden, init, vocabulary: special.vocabulary };
  const weights = await floatWeights(session);
  const { config: json, tensors } =
    session.task === "masked"
      ? writeHuggingFaceBert({ config: sizes, head: "masked", weights })
      : writeHuggingFaceBert({ config: sizes, ...headOf(session), weights });
  const settings = {
    hidden_dropout_prob: dropout,
    attention_probs_dropout_prob: dropout,
    pad_token_id: special.padding,
  };
  return { published: { config: { ...json, ...settings }, tensors }, files: tokenizer.files };
}

const headOf = ({ classes }: TextsSession) => ({ head: { classes: classes.length }, labels: classes });
