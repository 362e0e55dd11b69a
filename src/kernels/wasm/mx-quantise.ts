/** Rounding to the elements of a block, four float32 at a time, in registers. */
import { exponentCarry, largestElement, largestExponent, unitBits, type MxElement } from "../mx-element.ts";
import type { MxFromFloats } from "../mx-gemm.ts";
import type { Code, Local } from "./assembler.ts";
import { bitsOf, type ConstantPool } from "./constants.ts";
import type { PanelKind, PanelLayout } from "./mx-panel.ts";

/** Splatted constants of a function, each loaded into a register before its loops. */
export class Splats {
  private readonly code: Code;
  private readonly pool: ConstantPool;
  private readonly constants: Local;
  private readonly known = new Map<number, Local>();

  constructor(code: Code, pool: ConstantPool, constants: Local) {
    this.code = code;
    this.pool = pool;
    this.constants = constants;
  }

  /** Four times these bits. The first asking for them must come before any loop or branch. */
  bits(bits: number): Local {
    const known = this.known.get(bits | 0);
    if (known) return known;
    const local = this.code.local("v128");
    this.code
      .get(this.constants)
      .memory("v128.load32_splat", this.pool.word(bits | 0))
      .set(local);
    this.known.set(bits | 0, local);
    return local;
  }

  float(value: number): Local {
    return this.bits(bitsOf(value));
  }
}

const MAGNITUDE = 0x7fffffff;
const EXPONENT = 0x7f800000;
const SUBNORMAL = 0x00400000;
/** 1.5 · 2²³: adding it to a small float leaves the nearest integer in the low bits. */
const SHIFTER = 1.5 * 2 ** 23;

/** Writes the scales and roundings of one element format. Made before the loops of its function. */
export class Quantiser {
  private readonly code: Code;
  private readonly splats: Splats;
  private readonly element: MxElement;
  private readonly operand: MxFromFloats;
  private readonly panel: PanelKind;
  private readonly offset: number;
  private readonly carry: number;

  /** @param offset  added to every integer, so that it fits seven bits without a sign. */
  constructor(
    code: Code,
    splats: Splats,
    element: MxElement,
    operand: MxFromFloats,
    panel: PanelKind,
    offset: number,
  ) {
    this.code = code;
    this.splats = splats;
    this.element = element;
    this.operand = operand;
    this.panel = panel;
    this.offset = offset;
    this.carry = exponentCarry(element, operand.scaleRule ?? "floor");
    this.prepare();
  }

  /** The bits that {@link integers} gives for zero without the offset. */
  get base(): number {
    return bitsOf(SHIFTER * 2 ** -unitBits(this.element));
  }

  /** largest = max(largest, |x|) as integers, which order as the floats do; x on the stack. */
  widen(largest: Local): void {
    this.code.get(this.splats.bits(MAGNITUDE)).op("v128.and").get(largest).op("i32x4.max_s").set(largest);
  }

  /**
   * From the bits of max|x|: `inverse` = 2^-X, and `factor` = 2^X times the finest step (for float32 panels
   * 2^X itself), NaN where the block holds NaN or Inf.
   */
  scales(largest: Local, inverse: Local, factor: Local): void {
    const { code, splats, element } = this;
    const { carry } = this;
    const bad = code.local("v128");
    const shared = code.local("v128");
    code.get(largest).get(splats.bits(EXPONENT - 1)).op("i32x4.gt_s").set(bad);
    code.get(largest);
    if (carry !== 0) code.get(splats.bits(carry)).op("i32x4.add");
    code.i32(23).op("i32x4.shr_u").get(splats.bits(largestExponent(element))).op("i32x4.sub");
    code.get(splats.bits(0)).op("i32x4.max_s").get(splats.bits(254)).op("i32x4.min_s").set(shared);
    code.get(splats.bits(254)).get(shared).op("i32x4.sub").i32(23).op("i32x4.shl");
    code.get(splats.bits(SUBNORMAL)).op("i32x4.max_s").set(inverse);
    code.get(shared).i32(23).op("i32x4.shl").get(splats.bits(SUBNORMAL)).op("i32x4.max_s");
    if (this.panel !== "f32") code.get(splats.float(2 ** -unitBits(element))).op("f32x4.mul");
    code.get(bad).op("v128.or").set(factor);
  } // prettier-ignore

  /**
   * Pushes i32x4: the integers of x (on the stack) plus the offset plus {@link base}, which ends in zeros;
   * the low byte or half is the two's complement.
   */
  integers(inverse: Local): void {
    const { code, splats, element, offset } = this;
    this.round(inverse);
    const unit = 2 ** -unitBits(element);
    code.get(splats.float((SHIFTER + offset) * unit)).op("f32x4.add");
  }

  /** Pushes the rounded values times `factor`; x on the stack. */
  values(inverse: Local, factor: Local): void {
    this.round(inverse);
    this.code.get(factor).op("f32x4.mul");
  }

  /** Loads all constants, for code that has loops to come. */
  private prepare(): void {
    const { splats, element, operand, offset, panel } = this;
    const words = [MAGNITUDE, EXPONENT, EXPONENT - 1, SUBNORMAL, 0, 254, largestExponent(element), this.carry, 1];
    const largest = largestElement(element);
    const unit = 2 ** -unitBits(element);
    for (const bits of words) splats.bits(bits);
    for (const value of [largest, -largest, SHIFTER * unit]) splats.float(value);
    if (panel !== "f32") for (const value of [unit, (SHIFTER + offset) * unit]) splats.float(value);
    if (operand.rounding === "floor") splats.bits(~MAGNITUDE);
    if (element.kind === "integer") return;
    splats.float(2 ** (1 - element.bias));
    splats.bits((23 - element.mantissaBits) << 23);
  } // prettier-ignore

  /** x · inverse → the nearest element, by the operand's rounding, within ±largest. */
  private round(inverse: Local): void {
    const { code, splats, operand, element } = this;
    code.get(inverse).op("f32x4.mul");
    // A set last bit leaves all in its place but ties, which it lifts: nearest even then rounds them away from zero.
    if (operand.rounding === "nearest-away") code.get(splats.bits(1)).op("v128.or");
    if (operand.rounding === "floor") this.floor();
    else this.nearest();
    const largest = largestElement(element);
    code.get(splats.float(largest)).op("f32x4.pmin").get(splats.float(-largest)).op("f32x4.pmax");
  }

  /** Pushes 1.5 · 2²³ times the step at a magnitude: adding it rounds to that step. */
  private pushShifter(magnitude: Local): void {
    const { code, splats, element } = this;
    if (element.kind === "integer") {
      code.get(splats.float(SHIFTER * 2 ** -element.fractionBits));
      return;
    }
    code.get(magnitude).get(splats.float(2 ** (1 - element.bias))).op("f32x4.pmax");
    code.get(splats.bits(EXPONENT)).op("v128.and");
    code.get(splats.bits((23 - element.mantissaBits) << 23)).op("i32x4.add");
    code.get(splats.bits(SUBNORMAL)).op("v128.or");
  } // prettier-ignore

  private nearest(): void {
    const { code, splats } = this;
    const [y, magnitude, shifter] = [code.local("v128"), code.local("v128"), code.local("v128")];
    code.tee(y).get(splats.bits(MAGNITUDE)).op("v128.and").set(magnitude);
    this.pushShifter(magnitude);
    code.set(shifter).get(y).get(shifter).op("f32x4.add").get(shifter).op("f32x4.sub");
  }

  /** Nearest on the magnitude, and a step back where that went up. */
  private floor(): void {
    const { code, splats } = this;
    const [y, magnitude, shifter, near] = Array.from({ length: 4 }, () => code.local("v128"));
    code.tee(y).get(splats.bits(MAGNITUDE)).op("v128.and").set(magnitude);
    this.pushShifter(magnitude);
    code.set(shifter).get(magnitude).get(shifter).op("f32x4.add").get(shifter).op("f32x4.sub").set(near);
    code.get(near);
    // The step at this magnitude: the shifter without its half, 23 octaves down.
    code.get(shifter).get(splats.bits(EXPONENT)).op("v128.and").i32(23).op("i32x4.shr_u");
    code.i32(23).op("i32x4.splat").op("i32x4.sub").i32(23).op("i32x4.shl");
    code.get(near).get(magnitude).op("f32x4.gt").op("v128.and").op("f32x4.sub");
    code.get(y).get(splats.bits(~MAGNITUDE)).op("v128.and").op("v128.or");
  } // prettier-ignore
}

/** A quantiser with its constants loaded, or null for values that stay as they are. */
export interface OpenQuantiser {
  readonly quantiser: Quantiser | null;
  readonly splats: Splats;
}

/** Loads what the writers of blocks want, at the start of a function. */
export function openQuantiser(
  code: Code,
  constants: Local,
  operand: MxFromFloats,
  layout: PanelLayout,
  pool: ConstantPool,
): OpenQuantiser {
  const splats = new Splats(code, pool, constants);
  const { element } = operand;
  if (element === null) return { quantiser: null, splats };
  const quantiser = new Quantiser(code, splats, element, operand, layout.kind, layout.offset);
  splats.bits(quantiser.base);
  splats.bits(0x10001);
  splats.bits(0xff);
  splats.bits(0xffff);
  return { quantiser, splats };
}
