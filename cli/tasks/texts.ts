/** Training a classifier of labelled texts. */
import { specialSymbolsOf } from "../../src/data/special-symbols.ts";
import { trainingLoop } from "../../src/train/loop.ts";
import { labelledFeed } from "../../src/train/text-trainer.ts";
import { attentionToText, classifiedOf } from "../attention/texts.ts";
import type { TextsConfig } from "../config/resolve.ts";
import { classesFile } from "../kept-classes.ts";
import { type KeptTexts, type LabelledData, loadLabelled } from "../labelled-texts.ts";
import { encoderOfRun } from "../trained-encoder.ts";
import { openTexts, type TextsSession } from "../session.ts";
import { transformerSizes } from "./lines.ts";
import type { Prepared, Work } from "./work.ts";

/**
 * Reads the texts.
 *
 * @param kept  tokeniser and classes of a run that goes on.
 * @throws what {@link loadLabelled} throws.
 */
export async function prepareTexts(config: TextsConfig, kept?: KeptTexts): Promise<Prepared> {
  const { from } = config.model;
  // The weights of a run that goes on are its own.
  const begun = kept === undefined && from !== undefined ? await encoderOfRun(from, config) : undefined;
  const data = await loadLabelled(config, kept ?? begun);
  const { name, sha256, tokenizer, classes } = data;
  const open = async (): Promise<Work> =>
    workOf(await openTexts(config, tokenizer, classes, begun?.weights), data);
  const tokenizerFiles = { ...tokenizer.files, [classesFile]: `${JSON.stringify(classes)}\n` };
  return { name, sha256, tokenizerFiles, open };
}

function workOf(session: TextsSession, { name, training, validation, classes }: LabelledData): Work {
  const { config, trainer, tokenizer } = session;
  const { seed, batch: rows } = config;
  const symbols = specialSymbolsOf(tokenizer);
  const feed = labelledFeed({ training, validation }, { seed, rows, symbols });
  return {
    session,
    sizes: `${transformerSizes(config)}, ${classes.length} classes`,
    data: `texts    ${name}, ${training.length} to train and ${validation.length} to validate`,
    loop: (options) => trainingLoop({ ...options, trainer, feed }),
    figures: ({ validation: found, rate }) => ({
      validation: { loss: found?.loss ?? Number.NaN, accuracy: found?.accuracy ?? Number.NaN },
      samplesPerSecond: rate,
    }),
    show: async () => ({
      sample: null,
      ...(await attentionToText(session, classifiedOf(session, validation))),
    }),
  };
}
