/** Scores of encoders: hidden symbols of a text, and classes of texts. */
import { DataError } from "../src/data/data-error.ts";
import { sequentialMasked, windowIn } from "../src/data/masked-batches.ts";
import { specialSymbolsOf } from "../src/data/special-symbols.ts";
import type { SymbolText } from "../src/data/symbols.ts";
import { orderedTexts } from "../src/data/text-batches.ts";
import { interruptible } from "./interruptible.ts";
import { examplesFor, loadLabelled, loadTexts } from "./labelled-texts.ts";
import type { MaskedSession, TextsSession } from "./session.ts";
import { maskedPlan } from "./tasks/masked.ts";

/** How an encoder did. */
export interface EncoderScore {
  readonly loss: number;
  readonly accuracy: number;
  /** What was judged, and how much of it. */
  readonly name: string;
  readonly count: number;
}

/**
 * Hidden symbols of a whole text, the same at every call.
 *
 * @throws DataError for a text shorter than a window.
 */
export async function scoreMasked(
  session: MaskedSession,
  { name, symbols }: { readonly name: string; readonly symbols: SymbolText },
  signal: AbortSignal,
): Promise<EncoderScore> {
  const window = windowIn(session.config.model.context);
  if (symbols.length < window)
    throw new DataError(name, `too short: ${symbols.length} symbols, a window has ${window}`);
  const batches = sequentialMasked(symbols, maskedPlan(session));
  const { loss, accuracy = Number.NaN } = await session.trainer.evaluate(interruptible(batches, signal));
  return { loss, accuracy, name, count: symbols.length };
}

/**
 * The run's validation texts, or all of another file.
 *
 * @param other  path of labelled texts in place of the run's.
 */
export async function scoreTexts(
  session: TextsSession,
  other: string | undefined,
  signal: AbortSignal,
): Promise<EncoderScore> {
  const { config, trainer, tokenizer } = session;
  const { name, examples } = await textsOf(session, other);
  const symbols = specialSymbolsOf(tokenizer);
  const batches = orderedTexts(examples, { rows: config.batch, symbols });
  const { loss, accuracy = Number.NaN } = await trainer.evaluate(interruptible(batches, signal));
  return { loss, accuracy, name, count: examples.length };
}

async function textsOf(session: TextsSession, other: string | undefined) {
  const { config } = session;
  if (other === undefined) {
    const { name, validation } = await loadLabelled(config, session);
    return { name, examples: validation };
  }
  const { name, texts } = await loadTexts(other, config.data);
  return { name, examples: examplesFor(texts, name, config, session) };
}
