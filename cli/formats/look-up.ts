/** Formats of both kinds by name. */
import {
  blockFormat,
  type BlockFormat,
  blockFormatNames,
  isBlockFormat,
} from "../../src/formats/block-format.ts";
import {
  format as formatOf,
  formatExamples,
  type ScalarFormat,
  UnknownFormatError,
} from "../../src/formats/format.ts";
import { nearestName } from "../../src/formats/nearest-name.ts";

export type FoundFormat =
  | { readonly kind: "scalar"; readonly format: ScalarFormat }
  | { readonly kind: "block"; readonly format: BlockFormat };

/** @throws UnknownFormatError naming the nearest one of either kind, or the number that is out of range. */
export function lookUpFormat(name: string): FoundFormat {
  if (isBlockFormat(name)) return { kind: "block", format: blockFormat(name) };
  try {
    return { kind: "scalar", format: formatOf(name) };
  } catch (error) {
    const known = [...formatExamples(), ...blockFormatNames];
    const blockMeant = isBlockFormat(nearestName(name, known) ?? "");
    if (error instanceof UnknownFormatError && blockMeant) throw new UnknownFormatError(name, known);
    throw error;
  }
}

/** The format whose values are to be shown: of a block format its elements'. */
export function elementOf({ kind, format }: FoundFormat): ScalarFormat {
  return kind === "block" ? format.element : format;
}

const mostCompanions = 5;

/**
 * Formats to draw beside another: examples with or without a sign as it is, of nearly as many bits, the nearest first.
 */
export function companionsOf(shown: ScalarFormat): ScalarFormat[] {
  const distance = ({ bits }: ScalarFormat): number => Math.abs(bits - shown.bits);
  const most = shown.bits > 8 ? 16 : 3;
  const sameSign = ({ info }: ScalarFormat): boolean =>
    (info.signBit === null) === (shown.info.signBit === null);
  return formatExamples()
    .map(formatOf)
    .filter((format) => format.name !== shown.name && distance(format) <= most && sameSign(format))
    .toSorted((a, b) => distance(a) - distance(b))
    .slice(0, mostCompanions);
}
