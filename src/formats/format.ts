/** Formats by name. */
import { families } from "./families.generated.ts";
import { UnknownFormatError, type FormatFamily, type ScalarFormat } from "./scalar-format.ts";

export {
  roundings,
  UnknownFormatError,
  type Coding,
  type FormatFamily,
  type FormatInfo,
  type Rounding,
  type ScalarFormat,
} from "./scalar-format.ts";

const allFamilies: readonly FormatFamily[] = Object.values(families);
const cache = new Map<string, ScalarFormat>();

/** Names that `format` knows, typical ones of every family; families of parametric names know more. */
export function formatExamples(): string[] {
  return allFamilies.flatMap((family) => family.examples);
}

/**
 * The format of a name: `fp32`, `bf16`, `lns8-g16`, `ulns8-g4`, … The same name gives the same object.
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
