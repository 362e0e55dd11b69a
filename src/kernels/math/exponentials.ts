/** exp2 and exp. Coefficients by `tools/fit-expansions.ts`. */
import { fma, type Value } from "../program.ts";
import { nearestInteger, polynomial, scale } from "./parts.ts";

/** (2ᶠ - 1) / f on |f| ≤ ½; error of 2ᶠ below 2⁻²⁸. */
export const EXP2 = [
  0.6931471824645996, 0.24022647738456726, 0.05550359934568405, 0.009618505835533142, 0.0013390806270763278,
  0.0001532646274426952,
];
/** (eʳ - 1 - r) / r² on |r| ≤ ½ ln 2; error of eʳ below 2⁻²⁸. */
const EXP = [
  0.4999999403953552, 0.1666652262210846, 0.04166829213500023, 0.008368532173335552, 0.001381829846650362,
];

/** ln 2 in two parts; the first has 16 bits, so that its product with an exponent is exact. */
export const LN2_HIGH: number = Math.round(Math.LN2 * 2 ** 16) / 2 ** 16;
/** What LN2_HIGH leaves of ln 2. */
export const LN2_LOW: number = Math.LN2 - LN2_HIGH;

/**
 * 2ˣ = 2ⁿ · 2ᶠ, n the integer nearest to x. Exact for integers; below 2⁻¹⁵⁰ it is 0, from 2¹²⁸ on +Inf.
 */
export function exp2(x: Value): Value {
  if (isBounded(x)) {
    const { whole, bits } = nearestInteger(x);
    return polynomial(x.sub(whole), [1, ...EXP2]).asI32().add(bits.shl(23)).asF32(); // prettier-ignore
  }
  const inside = x.clamp(-150, 128);
  const { whole, bits } = nearestInteger(inside);
  const f = inside.sub(whole);
  return scale(polynomial(f, [1, ...EXP2]), bits);
}

/** Whether x was clamped to where 2ˣ is a normal number: one addition to the exponent's bits does then. */
function isBounded({ node }: Value): boolean {
  if (node.kind !== "binary" || node.op !== "min" || node.a.node.kind !== "binary") return false;
  const [below, { op, b: above }] = [node.b.node, node.a.node];
  return (
    op === "max" &&
    below.kind === "constant" &&
    above.node.kind === "constant" &&
    below.value <= 126 &&
    above.node.value >= -125
  );
}

/** eˣ = 2ⁿ · eʳ, n the integer nearest to x / ln 2 and r = x - n ln 2. */
export function exp(x: Value): Value {
  const inside = x.clamp(-104, 89);
  const { whole, bits } = nearestInteger(inside.mul(Math.LOG2E));
  const r = fma(whole, -LN2_LOW, fma(whole, -LN2_HIGH, inside));
  return scale(polynomial(r, [1, 1, ...EXP]), bits);
}
