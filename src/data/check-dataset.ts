/** Checking a data set on disk: every file, and what they hold together. Node only. */
import { checkFile, type FileReport } from "./check-file.ts";
import type { Dataset, ImageDataset, TextDataset } from "./dataset.ts";
import { classCounts, type ImageSplit } from "./image-set.ts";

/** What a part of a set holds. */
export interface PartReport {
  /** `train`, `test`, … */
  readonly part: string;
  /** Images, bytes, lines, words, symbols: by what is counted. */
  readonly counts: Readonly<Record<string, number>>;
  /** Images of each class, by label; null for text. */
  readonly classes: readonly number[] | null;
  /** What is wrong with it; null when nothing is. */
  readonly fault: string | null;
}

export interface DatasetReport {
  readonly name: string;
  readonly folder: string;
  readonly files: readonly FileReport[];
  readonly parts: readonly PartReport[];
  /** Everything that is wrong, in order. Empty: the set is whole. */
  readonly faults: readonly string[];
}

/** Checks every file of a set and reads every part of it. Damage is reported, not thrown. */
export async function checkDataset(dataset: Dataset, folder: string): Promise<DatasetReport> {
  const files: FileReport[] = [];
  for (const source of dataset.sources)
    for (const file of source.files) files.push(await checkFile(dataset, folder, source, file));
  const parts = files.every(({ state }) => state === "missing") ? [] : await partsOf(dataset, folder);
  const faults = [...files, ...parts].flatMap(({ fault }) => fault ?? []);
  return { name: dataset.name, folder, files, parts, faults: [...new Set(faults)] };
}

function partsOf(dataset: Dataset, folder: string): Promise<PartReport[]> {
  switch (dataset.kind) {
    case "images":
      return Promise.all((["train", "test"] as const).map((split) => imagePart(dataset, folder, split)));
    case "text":
      return textParts(dataset, folder);
    case "vocabulary":
      return reported("vocabulary", async () => {
        const { vocabulary } = await dataset.load(folder);
        return [{ part: "vocabulary", counts: { symbols: vocabulary }, classes: null, fault: null }];
      });
  }
}

async function imagePart(dataset: ImageDataset, folder: string, split: ImageSplit): Promise<PartReport> {
  const [report] = await reported(split, async () => {
    const set = await dataset.load(folder, split);
    const classes = classCounts(set);
    const count = set.labels.length;
    return [{ part: split, counts: { images: count }, classes, fault: countFault(dataset, split, count, classes) }];
  });
  return report;
} // prettier-ignore

function countFault(
  { counts, balanced, classes }: ImageDataset,
  split: ImageSplit,
  count: number,
  perClass: readonly number[],
): string | null {
  if (count !== counts[split]) return `${split}: ${count} images, the official set has ${counts[split]}`;
  const each = count / classes.length;
  const odd = perClass.findIndex((images) => images !== each);
  if (!balanced || odd < 0) return null;
  return `${split}: class "${classes[odd]}" has ${perClass[odd]} images, the official set has ${each}`;
}

function textParts(dataset: TextDataset, folder: string): Promise<PartReport[]> {
  return reported("text", async () => {
    const { training, validation, test } = await dataset.load(folder);
    const parts = Object.entries({ train: training, valid: validation, ...(test && { test }) });
    return parts.map(([part, bytes]) => {
      const lines = bytes.reduce((count, byte) => count + (byte === lineBreak ? 1 : 0), 0);
      return { part, counts: { bytes: bytes.length, lines }, classes: null, fault: null };
    });
  });
}

const lineBreak = 10;

/** What a part holds or, where it cannot be read, why. Errors that are no damage of data go on. */
async function reported(part: string, load: () => Promise<PartReport[]>): Promise<PartReport[]> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("logrung: ")) throw error;
    return [{ part, counts: {}, classes: null, fault: error.message.replace("logrung: ", "") }];
  }
}
