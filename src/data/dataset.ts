/** What a data set states about itself: its official files, and how they are read. */
import type { ImageSet, ImageSplit, Normalisation } from "./image-set.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A file that a set is read from. */
export interface DataFile {
  /** Its official name, without the `.gz` of a compressed one. */
  readonly name: string;
  /** Names under which the same bytes are known too. */
  readonly aliases?: readonly string[];
  /** Bytes when uncompressed. */
  readonly bytes: number;
  /** Of the uncompressed bytes; null where no public source states it. */
  readonly sha256: string | null;
}

/** Something to download: a file, a file in gzip, or an archive of files. */
export interface DataSource {
  readonly kind: "plain" | "gzip" | "tar.gz" | "zip";
  /** Places of the same bytes, in the order in which they are tried: the next where one does not answer. */
  readonly urls: readonly string[];
  /** Size of the download; null where no public source states it. */
  readonly bytes: number | null;
  /** Of the download. */
  readonly sha256: string;
  /** The files it holds that the set needs. */
  readonly files: readonly DataFile[];
}

interface DatasetFacts {
  /** As on the command line, and the name of its folder in the data folder. */
  readonly name: string;
  /** Another set's folder, where both are read from the same files. */
  readonly folder?: string;
  /** The folder that the official archive unpacks to: files are found there too. */
  readonly archiveFolder?: string;
  /** One line for lists. */
  readonly summary: string;
  readonly homepage: string;
  /** As its makers state it; a set is downloaded by its user, never part of this package. */
  readonly licence: string;
  readonly sources: readonly DataSource[];
}

/** Labelled images. */
export interface ImageDataset extends DatasetFacts {
  readonly kind: "images";
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly classes: readonly string[];
  readonly normalisation: Normalisation;
  /** Images of each part of the official set. */
  readonly counts: Readonly<Record<ImageSplit, number>>;
  /** Every class has equally many images in each part. */
  readonly balanced: boolean;
  /**
   * Reads a part from a folder that holds the official files (each may be compressed with gzip or not).
   *
   * @throws DataError when a file is missing; the format's own error, naming file and byte, when one is damaged.
   */
  load(folder: string, split: ImageSplit): Promise<ImageSet>;
}

/** How a text is cut into symbols. */
export type TextLevel = "bytes" | "characters" | "words" | "gpt2" | "wordpiece";

/** The parts of a text set, as UTF-8. */
export interface TextParts {
  /** The set's name, for messages. */
  readonly name: string;
  readonly training: Uint8Array;
  readonly validation: Uint8Array;
  readonly test: Uint8Array | null;
}

/** A text to model. */
export interface TextDataset extends DatasetFacts {
  readonly kind: "text";
  /** The level of the figures published for it. */
  readonly level: TextLevel;
  /** @throws as {@link ImageDataset.load}, and DataError where a file is not UTF-8. */
  load(folder: string): Promise<TextParts>;
}

/** A published vocabulary. */
export interface VocabularyDataset extends DatasetFacts {
  readonly kind: "vocabulary";
  /** @throws as {@link ImageDataset.load}, and TokenizerError for a vocabulary that is none. */
  load(folder: string): Promise<Tokenizer>;
}

/** A set that comes as files. Registered by being exported as `dataset` from a file of `sets/`. */
export type Dataset = ImageDataset | TextDataset | VocabularyDataset;
