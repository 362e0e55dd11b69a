/** The public surface of the number formats. */
export * from "./format.ts";
export {
  BlockFormatError,
  blockFormat,
  blockFormatNames,
  blockScaleRules,
  blockSizes,
  isBlockFormat,
  type BlockFormat,
  type BlockOptions,
  type BlockScaleRule,
  type BlockSize,
} from "./block-format.ts";
export { dequantiseBlock, quantiseBlock, tensorScaleOf, type QuantisedBlock } from "./quantise-block.ts";
export { integerFormat } from "./integer.ts";
export { tableFormat, type TableOptions } from "./table.ts";
export { rungsOf, type Rungs } from "./rungs.ts";
