/** What a policy has to know of a format, whichever kind it is. */
import { blockFormat, isBlockFormat } from "../formats/block-format.ts";
import { format as scalarFormat } from "../formats/index.ts";
import type { BlockSize } from "./policy.ts";

export interface FormatTraits {
  readonly name: string;
  /** Elements that share a scale in a format of blocks; null for a format whose elements stand alone. */
  readonly block: BlockSize | null;
  /** Whether its values need a scale: false for floats as wide as half precision, which have a range of their own. */
  readonly wantsScale: boolean;
  /** Whether it is a ladder, whose stored weights and moments have a top rung. */
  readonly ladder: boolean;
  readonly signed: boolean;
  readonly hasZero: boolean;
  /** Whether it is float32 itself. */
  readonly exact: boolean;
}

/** @throws UnknownFormatError naming the nearest known format. */
export function formatTraits(name: string): FormatTraits {
  if (isBlockFormat(name)) return blockTraits(name);
  const { coding, bits, info, name: known } = scalarFormat(name);
  const wide = coding.kind === "float32" || (coding.kind === "float" && bits >= 16);
  return {
    name: known,
    block: null,
    wantsScale: !wide,
    ladder: coding.kind === "ladder" || coding.kind === "natural-ladder",
    signed: info.signBit !== null,
    hasZero: info.zeroCode !== null,
    exact: coding.kind === "float32",
  };
}

/** Elements of blocks are signed and have a zero, all of them. */
function blockTraits(name: string): FormatTraits {
  const { block } = blockFormat(name);
  return { name, block, wantsScale: true, ladder: false, signed: true, hasZero: true, exact: false };
}
