/** BERT's vocabulary of 30,522 word pieces in small letters. Node only. */
import type { VocabularyDataset } from "../dataset.ts";
import { readOfficial } from "../official-file.ts";
import { vocabularyFile } from "../wordpiece-vocabulary.ts";
import { wordpieceTokenizer } from "../wordpiece-tokenizer.ts";

const bytes = 231_508;
const sha256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3";

/** @source https://github.com/google-research/bert; address and checksum as pinned by KeemenaSubwords.jl, the checksum by others, too. */
export const dataset: VocabularyDataset = {
  kind: "vocabulary",
  name: "bert-uncased",
  summary: "the 30,522 word pieces of BERT in small letters, for text at the level wordpiece",
  homepage: "https://github.com/google-research/bert",
  licence: "Apache 2.0, © 2018 Google",
  sources: [
    {
      kind: "plain",
      urls: [
        `https://huggingface.co/bert-base-uncased/resolve/86b5e0934494bd15c9632b12f734a8a67f723594/${vocabularyFile}`,
      ],
      bytes,
      sha256,
      files: [{ name: vocabularyFile, bytes, sha256 }],
    },
  ],
  async load(folder) {
    return wordpieceTokenizer(
      new TextDecoder().decode((await readOfficial(dataset, folder, vocabularyFile)).bytes),
    );
  },
};
