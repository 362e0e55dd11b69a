/** GPT-2's vocabulary of 50,257 byte pairs. Node only. */
import type { VocabularyDataset } from "../dataset.ts";
import { gpt2Tokenizer } from "../gpt2-tokenizer.ts";
import { readOfficial } from "../official-file.ts";

const base = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main";
const encoderSha256 = "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783";
const mergesSha256 = "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5";

/** @source https://github.com/openai/gpt-2; checksums as pinned by tiktoken. */
export const dataset: VocabularyDataset = {
  kind: "vocabulary",
  name: "gpt2-bpe",
  summary: "the 50,257 byte pairs of GPT-2, for text at the level gpt2",
  homepage: "https://github.com/openai/gpt-2",
  licence: "modified MIT, © 2019 OpenAI",
  sources: [
    {
      kind: "plain",
      urls: [`${base}/encoder.json`],
      bytes: 1_042_301,
      sha256: encoderSha256,
      files: [{ name: "encoder.json", aliases: ["vocab.json"], bytes: 1_042_301, sha256: encoderSha256 }],
    },
    {
      kind: "plain",
      urls: [`${base}/vocab.bpe`],
      bytes: 456_318,
      sha256: mergesSha256,
      files: [{ name: "vocab.bpe", aliases: ["merges.txt"], bytes: 456_318, sha256: mergesSha256 }],
    },
  ],
  async load(folder) {
    const read = async (name: string): Promise<string> =>
      new TextDecoder().decode((await readOfficial(dataset, folder, name)).bytes);
    return gpt2Tokenizer(await read("encoder.json"), await read("vocab.bpe"));
  },
};
