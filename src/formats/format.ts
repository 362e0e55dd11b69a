/** Formats by name. */
import { families } from "./families.generated.ts";
import { UnknownFormatError, type FormatFamily, type ScalarFormat } from "./scalar-format.ts";

export {
  roundings,
  UnknownFormatError,
  type Coding,
  type FloatCoding,
  type FormatFamily,
  type FormatInfo,
  type IntegerCoding,
  type LadderCoding,
  type NaturalLadderCoding,
  type PowerCoding,
  type Rounding,
  type ScalarFormat,
  type TableCoding,
} from "./scalar-format.ts";

const allFamilies: FormatFamily[] = Object.values(families);
const cache = new Map<string, ScalarFormat>();

/** Names that `format` knows, typical ones of every family; families of parametric names know more. */
export function formatExamples(): string[] {
  return allFamilies.flatMap((family) => family.examples);
}

/**
 * The format of a name: `fp32`, `fp8-e4m3`, `int8`, `lns8-g16`, `lns12-eta0.001`, … The same name gives the same object.
 *
 * @throws UnknownFormatError naming the nearest known format, or the number that is out of range.
 */
export function format(name: string): ScalarFormat {
  let found = cache.get(name);
  if (!found) {
    const family = allFamilies.find(({ pattern }) => pattern.test(name));
    if (!family) throw new UnknownFormatError(name, formatExamples());
    found = family.parse(name);
    cache.set(name, found);
  }
  return found;
}

/**
 * Registers a family of one's own, so that its names work wherever a format is named: in policies, configurations, on
 * the command line of a program that does so first.
 *
 * @throws RangeError when one of its examples is known already, or does not fit its pattern.
 */
export function addFormat(family: FormatFamily): void {
  for (const name of family.examples) {
    if (allFamilies.some(({ pattern }) => pattern.test(name)))
      throw new RangeError(`logrung: a format "${name}" exists already: give yours another name`);
    if (!family.pattern.test(name))
      throw new RangeError(`logrung: the example "${name}" does not fit the family's own ${family.pattern}`);
  }
  allFamilies.push(family);
}
