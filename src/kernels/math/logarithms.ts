/** log2 and log. Coefficients by `tools/fit-expansions.ts`. */
import { fma, type Value } from "../program.ts";
import { LN2_HIGH, LN2_LOW } from "./exponentials.ts";
import { logarithmOf, polynomial, split } from "./parts.ts";

/** (log₂(1 + f) - f) / f on [√½ - 1, √2 - 1]; relative error of log₂(1 + f) below 2⁻²⁴. */
const LOG2 = [
  0.4426949918270111, -0.7213475108146667, 0.4809126555919647, -0.3606925308704376, 0.28785139322280884,
  -0.23914594948291779, 0.21649417281150818, -0.20620250701904297, 0.12252524495124817,
];
/** (ln(1 + f) - f) / f² on the same interval; relative error of ln(1 + f) below 2⁻²⁴·⁹. */
const LOG = [
  -0.49999991059303284, 0.3333394527435303, -0.25001776218414307, 0.19962239265441895, -0.16570313274860382,
  0.14916355907917023, -0.14307723939418793, 0.08738791942596436,
];

/** log₂ x = e + log₂(1 + f) for x = 2ᵉ(1 + f). Exact for powers of two. */
export function log2(x: Value): Value {
  const { exponent, fraction } = split(x);
  return logarithmOf(x, fma(polynomial(fraction, LOG2), fraction, fraction).add(exponent));
}

/** ln x = e ln 2 + ln(1 + f) for x = 2ᵉ(1 + f), the small parts added first. */
export function log(x: Value): Value {
  const { exponent, fraction } = split(x);
  const small = fma(fraction.mul(fraction), polynomial(fraction, LOG), exponent.mul(LN2_LOW));
  return logarithmOf(x, fma(exponent, LN2_HIGH, fraction.add(small)));
}
