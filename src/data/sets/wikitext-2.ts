/** WikiText-2: two million words of good Wikipedia articles. Node only. */
import { checkedText } from "../checked-text.ts";
import type { TextDataset } from "../dataset.ts";
import { readUnswapped } from "../official-file.ts";

/**
 * @source Merity et al. 2016, Pointer sentinel mixture models. Checksum of the archive as pinned by CorpusLoaders.jl and others, which
 * agree; those of the files: of bytes whose git blobs are pytorch/examples' word_language_model/data/wikitext-2.
 */
export const dataset: TextDataset = {
  kind: "text",
  name: "wikitext-2",
  summary: "Wikipedia articles, 2.1 million words to train, 33,278 different; train, valid, test",
  homepage: "https://huggingface.co/datasets/Salesforce/wikitext",
  licence: "CC BY-SA 3.0 (Wikipedia text)",
  archiveFolder: "wikitext-2",
  level: "words",
  sources: [
    {
      kind: "zip",
      urls: ["https://s3.amazonaws.com/research.metamind.io/wikitext/wikitext-2-v1.zip"],
      bytes: null,
      sha256: "92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c",
      files: [
        {
          name: "wiki.train.tokens",
          aliases: ["train.txt"],
          bytes: 10_797_148,
          sha256: "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
        },
        {
          name: "wiki.valid.tokens",
          aliases: ["valid.txt"],
          bytes: 1_121_681,
          sha256: "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
        },
        {
          name: "wiki.test.tokens",
          aliases: ["test.txt"],
          bytes: 1_256_449,
          sha256: "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
        },
      ],
    },
  ],
  async load(folder) {
    const read = async (part: string): Promise<Uint8Array> =>
      checkedText(await readUnswapped(dataset, folder, `wiki.${part}.tokens`));
    return {
      name: dataset.name,
      training: await read("train"),
      validation: await read("valid"),
      test: await read("test"),
    };
  },
};
