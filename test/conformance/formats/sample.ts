/** The formats and numbers that the conformance tests of formats run over. */
import { float32Bits, float32OfBits } from "../../../src/formats/float32-bits.ts";
import { format as formatOf, formatExamples, type ScalarFormat } from "../../../src/formats/format.ts";
import { integerFormat } from "../../../src/formats/integer.ts";
import { rungFields, rungThresholds } from "../../../src/formats/ladder.ts";
import { tableFormats } from "./tables.ts";

const LADDERS = `
  lns3-g1 lns4-g1 lns4-g2 lns5-g2 lns6-g4 lns7-g8 lns8-g1 lns8-g4 lns8-g32 lns8-g2048 lns9-g1 lns10-g64 lns11-g2
  lns12-g8 lns13-g512 lns14-g1024 lns16-g1 lns16-g64 lns16-g256 lns16-g2048
  ulns3-g2 ulns4-g1 ulns8-g1 ulns8-g8 ulns12-g16 ulns16-g256
  lns3-eta12 lns7-eta0.05 lns8-eta0.34 lns12-eta0.0001 lns15-eta0.0026
`;

/**
 * Every example the registry names, ladders over all widths and densities, fixed point and tables. Formats of at
 * most 16 bits.
 */
export const sampleFormats: readonly ScalarFormat[] = [
  ...[...new Set([...formatExamples(), ...LADDERS.trim().split(/\s+/)])].map(formatOf),
  integerFormat("int8-f6", 8, 6),
  integerFormat("int16-f4", 16, 4),
  ...tableFormats,
].filter(({ bits }) => bits <= 16);

/** A small generator for test inputs (mulberry32), so that failures repeat. */
export function testRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return (x ^ (x >>> 14)) >>> 0;
  };
}

/** Zeros, the ends of the normal and subnormal ranges, infinities, NaN; both signs. */
export const edgeCases: readonly number[] = [
  0, 1, 2, 0x003fffff, 0x00400000, 0x00400001, 0x005fffff, 0x00600000, 0x00600001, 0x007fffff, 0x00800000, 0x00800001,
  0x3f7fffff, 0x3f800000, 0x3f800001, 0x7f7fffff, 0x7f800000,
]
  .flatMap((bits) => [float32OfBits(bits), -float32OfBits(bits)])
  .concat(NaN, float32OfBits(0xffc00001), float32OfBits(0x7fffffff)); // prettier-ignore

/** 23-bit mantissa fields where a format's rounding changes, and their neighbours. */
function criticalMantissas({ coding }: ScalarFormat): number[] {
  if (coding.kind === "ladder") {
    const all = [...rungThresholds(coding.rungsPerOctave), ...rungFields(coding.rungsPerOctave)];
    return around(spread(all, 12));
  }
  const kept = coding.kind === "float" ? coding.mantissaBits : 4;
  const halfSteps = Array.from({ length: 2 ** (kept + 1) }, (_, i) => i * 2 ** (22 - kept));
  return around([...spread(halfSteps, 10), 0x200000, 0x400000, 0x600000]);
}

const around = (mantissas: readonly number[]): number[] =>
  [0, 0x7fffff, ...mantissas].flatMap((m) => [m - 1, m, m + 1]).filter((m) => m >= 0 && m <= 0x7fffff);

/** At most about `count` of a list, evenly, with its first and last. */
function spread<T>(list: readonly T[], count: number): T[] {
  const stride = Math.max(1, Math.floor(list.length / count));
  return list.filter((_, i) => i % stride === 0 || i === list.length - 1);
}

/** The distinct finite values of a format that are no less than 0, rising. */
export function magnitudesOf(format: ScalarFormat): number[] {
  const values = Array.from({ length: 2 ** format.bits }, (_, code) => format.decode(code));
  const finite = values.filter((value) => value > 0 && value < Infinity);
  if (format.info.zeroCode !== null) finite.push(0);
  return [...new Set(finite)].toSorted((a, b) => a - b);
}

/** Values of the format, the means of neighbours in either measure, and the float32 numbers next to each. */
function nearValues(format: ScalarFormat): number[] {
  if (format.bits > 16) return [];
  const values = magnitudesOf(format);
  const places = spread([...values.keys()], 128);
  return places
    .flatMap((i) => [
      values[i],
      (values[i] + values[i + 1]) / 2,
      Math.sqrt(values[i]) * Math.sqrt(values[i + 1]),
    ])
    .filter((x) => x <= 3.4028234663852886e38)
    .flatMap((x) => [-1, 0, 1].map((step) => float32OfBits(Math.max(0, float32Bits(x) + step))))
    .flatMap((x) => [x, -x]);
}

const criticalOf = new Map<ScalarFormat, Float32Array>();

/** Every exponent with every critical mantissa, both signs; values and ties; random bit patterns; edge cases. */
export function criticalFloats(format: ScalarFormat): Float32Array {
  const known = criticalOf.get(format);
  if (known) return known;
  const mantissas = criticalMantissas(format);
  const random = testRandom(format.bits);
  const bits: number[] = [];
  for (let exponent = 0; exponent < 255; exponent++)
    for (const [i, mantissa] of mantissas.entries())
      bits.push(((exponent << 23) | mantissa | (((i + exponent) % 2) << 31)) >>> 0);
  for (let i = 0; i < 1000; i++) bits.push(random());
  for (let i = 0; i < 1000; i++) bits.push(((127 - (random() % 24)) << 23) | (random() & 0x807fffff));
  const floats = bits.map((b) => float32OfBits(b >>> 0));
  const all = Float32Array.from([...edgeCases, ...nearValues(format), ...floats]);
  criticalOf.set(format, all);
  return all;
}
