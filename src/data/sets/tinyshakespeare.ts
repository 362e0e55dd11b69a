/** Tiny Shakespeare: a megabyte of plays. Node only. */
import { checkedText } from "../checked-text.ts";
import type { TextDataset } from "../dataset.ts";
import { readOfficial } from "../official-file.ts";

/** @source https://github.com/karpathy/char-rnn; split as nanoGPT: the first nine tenths train, ⌊0.9 · length⌋ bytes. */
export const dataset: TextDataset = {
  kind: "text",
  name: "tinyshakespeare",
  summary: "plays, 1.1 million characters, 65 different; the last tenth validates",
  homepage: "https://github.com/karpathy/char-rnn",
  licence: "public domain",
  level: "characters",
  sources: [
    {
      kind: "plain",
      urls: ["https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"],
      bytes: 1_115_394,
      sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
      files: [
        {
          name: "input.txt",
          bytes: 1_115_394,
          sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        },
      ],
    },
  ],
  async load(folder) {
    const bytes = checkedText(await readOfficial(dataset, folder, "input.txt"));
    const at = Math.floor(bytes.length * 0.9);
    return {
      name: dataset.name,
      training: bytes.subarray(0, at),
      validation: bytes.subarray(at),
      test: null,
    };
  },
};
