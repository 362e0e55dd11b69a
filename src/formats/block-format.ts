/** Block formats: elements in a scalar format, and a scale that every block of neighbours shares. */
import { format as formatOf } from "./format.ts";
import { integerFormat } from "./integer.ts";
import { rungThresholds } from "./ladder.ts";
import { suggestion } from "./nearest-name.ts";
import { UnknownFormatError, type ScalarFormat } from "./scalar-format.ts";

/** Elements that share a scale. */
export type BlockSize = 16 | 32 | 64;

/** Every block size, for validation. */
export const blockSizes: readonly BlockSize[] = [16, 32, 64];

/**
 * How a shared exponent X is found from a block's largest magnitude a; E is the exponent of the element format's
 * largest number, ⌊log₂ max⌋.
 *
 * - `floor` X = ⌊log₂ a⌋ - E. The largest elements saturate: by up to a quarter (e2m1). @source OCP MX v1.0, section 6.3.
 * - `ceil`  X = ⌈log₂ a⌉ - E. Nothing saturates, up to half of the top octave stays unused.
 *   @source torchao, `ScaleCalculationMode.CEIL`.
 * - `even`  X = ⌊log₂ ã⌋ - E, ã being a rounded to the precision of the elements, halves up: a maximum that would round
 *   up to the next power of two counts as that. @source torchao, `ScaleCalculationMode.EVEN`.
 */
export type BlockScaleRule = "floor" | "ceil" | "even";

/** Every rule, for validation. */
export const blockScaleRules: readonly BlockScaleRule[] = ["floor", "ceil", "even"];

/**
 * A block format. An element stands for decode(code) · scale, in two kinds:
 *
 * - one scale, a power of two (E8M0): 2^X, X found by `scaleRule`;
 * - two scales (`tensorScale`): decode(scale code) · t, where t is a float32 of the whole tensor.
 */
export interface BlockFormat {
  readonly name: string;
  readonly element: ScalarFormat;
  readonly block: BlockSize;
  /** Format of a block's scale: e8m0, or with `tensorScale` a float. */
  readonly scale: ScalarFormat;
  /** For E8M0 scales. */
  readonly scaleRule: BlockScaleRule;
  /** Whether the tensor has a float32 scale besides. */
  readonly tensorScale: boolean;
  /** Bits an element, its share of the block's scale included. */
  readonly bits: number;
}

export interface BlockOptions {
  /** Default: 32, as OCP MX v1.0; NVFP4 16. */
  readonly block?: BlockSize;
  /**
   * Default `floor`, as OCP MX v1.0; for elements whose largest number is a power of two (ladders) `ceil`, since
   * `floor` would saturate the top of every block.
   */
  readonly scaleRule?: BlockScaleRule;
}

/** Thrown for a block size or a scale rule that a block format does not have. */
export class BlockFormatError extends RangeError {
  override name = "BlockFormatError";
}

const MX_ELEMENTS: Readonly<Record<string, () => ScalarFormat>> = {
  "mxfp8-e4m3": () => formatOf("fp8-e4m3"),
  "mxfp8-e5m2": () => formatOf("fp8-e5m2"),
  "mxfp6-e2m3": () => formatOf("fp6-e2m3"),
  "mxfp6-e3m2": () => formatOf("fp6-e3m2"),
  "mxfp4-e2m1": () => formatOf("fp4-e2m1"),
  mxint8: () => integerFormat("mxint8 element", 8, 6),
};

const NVFP4 = "nvfp4";

/** Every name that {@link blockFormat} knows as one of its own. */
export const blockFormatNames: readonly string[] = [...Object.keys(MX_ELEMENTS), NVFP4];

/** Whether a name is that of a block format. */
export const isBlockFormat = (name: string): boolean => blockFormatNames.includes(name);

const cache = new Map<string, BlockFormat>();

/**
 * The block format of a name: `mxfp8-e4m3`, `mxfp8-e5m2`, `mxfp6-e2m3`, `mxfp6-e3m2`, `mxfp4-e2m1`, `mxint8` (OCP MX) and
 * `nvfp4`; or a scalar format of at most 16 bits, whose codes then get E8M0 scales. The same name and options give the
 * same object.
 *
 * @throws BlockFormatError for a block size or rule there is not, or one that does not go with the format.
 * @throws UnknownFormatError for a name that is no format.
 * @example blockFormat("mxfp4-e2m1", { block: 16, scaleRule: "even" })
 * @source OCP Microscaling Formats (MX) Specification v1.0, table 1; NVIDIA, Introducing NVFP4 (2025).
 */
export function blockFormat(name: string, options: BlockOptions = {}): BlockFormat {
  const key = `${name} ${options.block ?? ""} ${options.scaleRule ?? ""}`;
  let found = cache.get(key);
  if (!found) {
    checkOptions(name, options);
    found = name === NVFP4 ? nvfp4(options) : withExponents(name, options);
    cache.set(key, found);
  }
  return found;
}

function checkOptions(name: string, { block, scaleRule }: BlockOptions): void {
  if (block !== undefined && !blockSizes.includes(block))
    throw new BlockFormatError(`logrung: block size ${block} of ${name}, wants ${blockSizes.join(", ")}`);
  if (scaleRule !== undefined && !blockScaleRules.includes(scaleRule)) {
    const help = suggestion(scaleRule, blockScaleRules);
    throw new BlockFormatError(`logrung: unknown scale rule "${scaleRule}" of ${name} ${help}`);
  }
}

function withExponents(name: string, { block = 32, scaleRule }: BlockOptions): BlockFormat {
  const element = elementOf(name);
  if (element.bits > 16)
    throw new BlockFormatError(`logrung: blocks of ${name} (${element.bits} bits), wants at most 16`);
  const scale = formatOf("e8m0");
  const isPower = element.info.max === 2 ** topExponent(element);
  const rule = scaleRule ?? (isPower ? "ceil" : "floor");
  if (rule === "even" && octaveThreshold(element) === null)
    throw new BlockFormatError(`logrung: scale rule "even" of ${name}, wants "floor" or "ceil"`);
  const bits = element.bits + scale.bits / block;
  return { name, element, block, scale, scaleRule: rule, tensorScale: false, bits };
}

function elementOf(name: string): ScalarFormat {
  try {
    return MX_ELEMENTS[name]?.() ?? formatOf(name);
  } catch (error) {
    if (!(error instanceof UnknownFormatError) || !/^(mx|nv)/.test(name)) throw error;
    throw new UnknownFormatError(name, blockFormatNames);
  }
}

function nvfp4({ block = 16, scaleRule }: BlockOptions): BlockFormat {
  if (block !== 16) throw new BlockFormatError(`logrung: block size ${block} of ${NVFP4}, wants 16`);
  if (scaleRule !== undefined)
    throw new BlockFormatError(
      `logrung: ${NVFP4} has no scale rule: its scales are floats, not powers of two`,
    );
  const [element, scale] = [formatOf("fp4-e2m1"), formatOf("fp8-e4m3")];
  const bits = element.bits + scale.bits / block;
  return { name: NVFP4, element, block, scale, scaleRule: "floor", tensorScale: true, bits };
}

/** ⌊log₂ max⌋ of a format of at most 16 bits. */
export function topExponent({ info }: ScalarFormat): number {
  return Math.floor(Math.log2(info.max)); // exact: max has at most 16 significant bits, or is 1
}

/**
 * What is added to the bits of a block's largest magnitude before its exponent field is read: a carry into the
 * exponent is what tells the rules apart.
 */
export function exponentCarry({ element, scaleRule }: BlockFormat): number {
  if (scaleRule === "floor") return 0;
  return scaleRule === "ceil" ? 0x7fffff : 2 ** 23 - (octaveThreshold(element) ?? 2 ** 23);
}

/**
 * The least 23-bit mantissa field whose number rounds up to the next power of two at the elements' precision; null for
 * codings of uneven precision.
 */
function octaveThreshold({ coding }: ScalarFormat): number | null {
  switch (coding.kind) {
    case "ladder":
      return rungThresholds(coding.rungsPerOctave)[coding.rungsPerOctave - 1];
    case "float":
      return 2 ** 23 - 2 ** (22 - coding.mantissaBits);
    case "integer":
      return 2 ** 23 - 2 ** (22 - (coding.bits - 2));
    default:
      return null;
  }
}
