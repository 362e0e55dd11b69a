/**
 * Data sets, texts, tokenisers and batches. Node only: files are read here.
 *
 * @packageDocumentation
 */
export { augmented, type Augmentation } from "./augment.ts";
export { batchMaker, type BatchMaker, type BatchPlan, type ImageSource } from "./batch-maker.ts";
export {
  type Batch,
  countWindows,
  type DrawOptions,
  sequentialBatches,
  trainingBatch,
  windowStarts,
} from "./batches.ts";
export { type AheadOptions, type BatchesAhead, imageBatchesAhead, shareImages } from "./batches-ahead.ts";
export { byteTokenizer } from "./byte-tokenizer.ts";
export { charactersOf, characterTokenizer } from "./character-tokenizer.ts";
export { checkDataset, type DatasetReport, type PartReport } from "./check-dataset.ts";
export type { FileReport, FileState } from "./check-file.ts";
export { type Corpus, splitCorpus } from "./corpus.ts";
export { DataError } from "./data-error.ts";
export { allDatasets, dataFolder, type DataFolderOptions, findDataset, folderOf } from "./data-folder.ts";
export type {
  DataFile,
  Dataset,
  DataSource,
  ImageDataset,
  TextDataset,
  TextLevel,
  TextParts,
  VocabularyDataset,
} from "./dataset.ts";
export { orderedFolderImages, trainingFolderImages } from "./folder-batches.ts";
export { type GetEvent, getDataset, type GetOptions } from "./get-dataset.ts";
export { endOfText, gpt2Tokenizer } from "./gpt2-tokenizer.ts";
export { type HeldOut, heldOut } from "./held-out.ts";
export type { Image } from "./image.ts";
export {
  epochIndices,
  type ImageBatch,
  type ImageBatchOptions,
  type Mixture,
  orderedImages,
  trainingImages,
} from "./image-batches.ts";
export {
  type DecodedImage,
  folderDigest,
  type FolderOptions,
  type ImageDecoder,
  type ImageFolder,
  openImageFolder,
  partOfFolder,
  readImage,
  spreadOfFolder,
} from "./image-folder.ts";
export {
  checkImageSet,
  classCounts,
  firstImages,
  type ImageSet,
  type ImageSplit,
  type Normalisation,
} from "./image-set.ts";
export {
  classesOf,
  type LabelledFile,
  type LabelledText,
  loadLabelledTexts,
  type TextColumns,
} from "./labelled-texts.ts";
export {
  type LanguageData,
  languageData,
  type LevelOptions,
  openTokenFiles,
  openTokenizer,
  textParts,
  type TokenFiles,
} from "./language-data.ts";
export { maskedBatch, type MaskedBatch, type MaskedPlan, sequentialMasked } from "./masked-batches.ts";
export { fitted, type ImagePart, scaledPart } from "./scale.ts";
export { type SpecialSymbols, specialSymbols, specialSymbolsOf } from "./special-symbols.ts";
export { partOf, type Symbols, type SymbolSource, type SymbolText, windowOf } from "./symbols.ts";
export { loadFiles, loadText, type LoadTextOptions } from "./text.ts";
export {
  type ExampleOptions,
  examplesOf,
  orderedTexts,
  type TextBatch,
  type TextExample,
  trainingTexts,
} from "./text-batches.ts";
export { type SymbolStream, type Tokenizer, TokenizerError } from "./tokenizer.ts";
export { tokeniseFile } from "./tokenise-file.ts";
export { wordpieceTokenizer } from "./wordpiece-tokenizer.ts";
export { endOfLine, unknownWord, wordsOf, wordTokenizer } from "./word-tokenizer.ts";
