/** The part of the training configuration that says what is learnt from. */
import * as z from "zod";
import { imageFolderName, imageSets } from "../image-sets.ts";
import { textLevels, textSets } from "../language-data.ts";
import { count, fraction, keysOf } from "./schema-fields.ts";

export const text = z.strictObject({
  path: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .describe("text file, folder or pattern; give it again for more"),
  set: z
    .enum(keysOf(textSets))
    .optional()
    .describe("registered text with parts of its own, in place of path"),
  dir: z.string().optional().describe("folder of data sets, or of the official files themselves"),
  level: z.enum(textLevels).default("bytes").describe("what a symbol is"),
  vocabulary: z
    .string()
    .optional()
    .describe(
      "folder of the level's vocabulary (encoder.json and vocab.bpe, BERT's vocab.txt, words.txt, characters.json), or its one file; " +
        "default the set gpt2-bpe or bert-uncased, or what the training text holds",
    ),
  encoding: z.enum(["utf-8", "bytes"]).default("utf-8").describe("utf-8 refuses a file that is no text"),
  validation: z
    .string()
    .optional()
    .describe("text or token file to validate on; default the last part of path"),
  validationFraction: fraction("last part of the text, kept for validation").gt(0).default(0.1),
});

export const labelledTexts = z.strictObject({
  path: text.shape.path.describe("file of labelled texts: lines of label, tab, text; or .jsonl"),
  dir: text.shape.dir,
  level: text.shape.level,
  vocabulary: text.shape.vocabulary,
  columns: z
    .string()
    .optional()
    .describe(
      "where files have a header or more columns: label,text or label,text,second by name or number, or the keys of .jsonl",
    ),
  validation: z.string().optional().describe("labelled texts to validate on; default a part of path"),
  validationFraction: fraction("part of the texts, drawn by the seed, kept for validation")
    .gt(0)
    .default(0.1),
});

export const images = z.strictObject({
  name: z
    .enum([...keysOf(imageSets), imageFolderName])
    .default(imageFolderName)
    .describe("set of labelled images; folder is that of path"),
  path: text.shape.path.describe(
    "folder of images: train/ and val/ with a folder of PNG or JPEG for each class, or the classes",
  ),
  validation: z
    .string()
    .optional()
    .describe("folder of images to validate on; default val/ or a part of path"),
  validationFraction: fraction("part of one folder's images, drawn by the seed, kept for validation")
    .gt(0)
    .default(0.1),
  size: count(1, "side of what models get of a folder's images; default 224").optional(),
  resize: count(
    1,
    "what the shorter side of an image is scaled to before its middle is judged; default 8/7 of size",
  ).optional(),
  area: z
    .array(z.number().gt(0).max(1))
    .length(2)
    .optional()
    .describe(
      "least and most share of a training image that is cut out at random and scaled to size; default no such cut",
    ),
  aspect: z
    .array(z.number().gt(0))
    .length(2)
    .default([3 / 4, 4 / 3])
    .describe("least and most ratio of width to height of that cut"),
  dir: z.string().optional().describe("folder of data sets, or of the official files themselves"),
  limit: count(0, "training images used: the first of a set, or spread over a folder; 0 is all").default(0),
  crop: count(
    0,
    "pixels of the mean colour around a training image, out of which its size is cut at random",
  ).default(0),
  flip: z.boolean().default(false).describe("mirrors every other training image"),
  rotation: z.number().min(0).max(180).default(0).describe("most degrees a training image is turned by"),
  mixup: z
    .number()
    .min(0)
    .default(0)
    .describe("alpha of the share in which training images are mixed; 0 mixes none"),
  mean: z.array(z.number()).optional().describe("of each channel, subtracted; default the set's"),
  deviation: z.array(z.number().gt(0)).optional().describe("of each channel, divided by; default the set's"),
});

export const ganImages = z.strictObject({
  name: z.enum(keysOf(imageSets)).describe("set of labelled images"),
  dir: z.string().optional().describe("folder of data sets, or of the official files themselves"),
  limit: count(0, "training images used, the first of the set; 0 is all").default(0),
  flip: z.boolean().default(false).describe("mirrors every other training image"),
});
