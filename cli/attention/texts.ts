/** What transformers attend to in a text. */
import { type MaskedPlan, sequentialMasked } from "../../src/data/masked-batches.ts";
import { specialSymbolsOf } from "../../src/data/special-symbols.ts";
import { type SymbolText, windowOf } from "../../src/data/symbols.ts";
import type { TextExample } from "../../src/data/text-batches.ts";
import { attentionOf, textMaps } from "../../src/train/attention-maps.ts";
import type { RunSummary, TextAttention } from "../../src/train/run-summary.ts";
import type { LanguageSession, MaskedSession, TextsSession } from "../session.ts";
import { tokenLabels } from "./tokens.ts";

type TextSession = LanguageSession | MaskedSession | TextsSession;

/** What a model is shown. */
export interface TextInput {
  readonly caption: string;
  readonly ids: Int32Array;
  /** Of a classifier: 0 for symbols of a first text, 1 for those of a second. */
  readonly types?: Int32Array;
}

/** Longest example: more labels could not be read. */
const mostTokens = 48;

/** Bytes that the maps of a text may take together; models of many heads are shown shorter ones. */
const mapBytes = 200_000;

/** Tokens of an example: {@link mostTokens}, or as few as keep the maps of all heads small, but 16. */
function tokensFor({ layers, heads, context }: TextSession["config"]["model"]): number {
  const few = Math.floor(Math.sqrt(mapBytes / (layers * heads)));
  return Math.min(context, mostTokens, Math.max(16, few));
}

/** The first symbols of a text. */
export function firstOf({ config }: LanguageSession, text: SymbolText): TextInput {
  const count = Math.min(tokensFor(config.model), text.length);
  return { caption: "the beginning of the validation text", ids: Int32Array.from(windowOf(text, 0, count)) };
}

/** The first window of a text with some of its symbols hidden; none where the text has no window. */
export function maskedOf(
  { config }: MaskedSession,
  text: SymbolText,
  plan: MaskedPlan,
): TextInput | undefined {
  const context = Math.max(3, tokensFor(config.model));
  const [batch] = sequentialMasked(text, { ...plan, context, rows: 1, limit: 1 });
  return batch && { caption: "the beginning of the validation text, symbols hidden", ids: batch.inputs };
}

/** The first of a classifier's texts, cut where it is long. */
export function classifiedOf(session: TextsSession, examples: readonly TextExample[]): TextInput | undefined {
  const [example] = examples;
  if (example === undefined) return undefined;
  const { config, tokenizer, classes } = session;
  const count = Math.min(tokensFor(config.model), example.ids.length);
  const ids = example.ids.slice(0, count);
  ids[count - 1] = specialSymbolsOf(tokenizer).end;
  const caption = `a validation text of class ${classes[example.label]}`;
  return { caption, ids, types: example.types.slice(0, count) };
}

/** A text of the user's, cut where it is long. @throws TokenizerError for what the vocabulary does not have. */
export function givenText(session: TextSession, text: string): TextInput {
  const { config, tokenizer } = session;
  const most = tokensFor(config.model);
  const symbols = tokenizer.encode(text);
  if (session.task === "language")
    return { caption: "a text that was given", ids: Int32Array.from(symbols.subarray(0, most)) };
  const { start, end } = specialSymbolsOf(tokenizer);
  const ids = Int32Array.from([start, ...symbols.subarray(0, most - 2), end]);
  return { caption: "a text that was given", ids };
}

/** The attention of all heads to a text. Not inside a step. */
export async function attentionToText(
  session: TextSession,
  input: TextInput | undefined,
): Promise<Partial<Pick<RunSummary, "attention">>> {
  if (input === undefined) return {};
  const { device, policy, config, tokenizer, task } = session;
  const { layers } = await attentionOf(device, { policy, seed: config.seed }, (pass) => {
    const ids = device.tensor(input.ids, [input.ids.length]);
    // Logits of every symbol would be large beside what is drawn.
    if (session.task === "language") return session.trainer.model.states(ids, 1, pass);
    const types = input.types === undefined ? null : device.tensor(input.types, [input.types.length]);
    const sequences = { ids, batch: 1, types };
    if (session.task === "texts") return session.trainer.model.logits(sequences, pass);
    return session.trainer.model.logits(sequences, device.tensor(Int32Array.of(0), [1]), pass);
  });
  const text: TextAttention = {
    caption: input.caption,
    tokens: tokenLabels(tokenizer, input.ids),
    causal: task === "language",
    maps: layers.map(textMaps),
  };
  const names = layers.map(({ layer, format }) => ({ name: layer, format }));
  return layers.length === 0 ? {} : { attention: { layers: names, texts: [text], images: [] } };
}
