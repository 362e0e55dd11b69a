/** The formats and numbers that the conformance tests of formats run over. */
import { float32OfBits } from "../../../src/formats/float32-bits.ts";
import { format as formatOf, formatExamples, type ScalarFormat } from "../../../src/formats/format.ts";
import { rungThresholds } from "../../../src/formats/ladder.ts";

const LADDERS = `
  lns4-g1 lns4-g2 lns5-g2 lns6-g4 lns7-g8 lns8-g1 lns8-g4 lns8-g32 lns8-g2048 lns9-g1 lns10-g64 lns11-g2 lns12-g8
  lns13-g512 lns14-g1024 lns16-g1 lns16-g64 lns16-g256 lns16-g2048
  ulns4-g1 ulns8-g1 ulns8-g8 ulns12-g16 ulns16-g256
`;

/** Every example the registry names, and ladders over all widths and densities. Formats of at most 16 bits. */
export const sampleFormats: readonly ScalarFormat[] = [
  ...new Set([...formatExamples(), ...LADDERS.trim().split(/\s+/)]),
]
  .map(formatOf)
  .filter(({ bits }) => bits <= 16);

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
  0, 1, 2, 0x007fffff, 0x00800000, 0x00800001, 0x3f7fffff, 0x3f800000, 0x3f800001, 0x7f7fffff, 0x7f800000,
]
  .flatMap((bits) => [float32OfBits(bits), -float32OfBits(bits)])
  .concat(NaN); // prettier-ignore

/** 23-bit mantissa fields where a format's rounding changes, and their neighbours. */
export function criticalMantissas({ coding }: ScalarFormat): number[] {
  if (coding.kind !== "ladder")
    return [0, 0x7fff, 0x8000, 0x8001, 0x17fff, 0x18000, 0x18001, 0x7f7fff, 0x7f8000];
  const thresholds = rungThresholds(coding.rungsPerOctave);
  const stride = Math.max(1, Math.floor(thresholds.length / 16));
  const some = thresholds.filter((_, i) => i % stride === 0 || i === thresholds.length - 1);
  const around = [...some].flatMap((m) => [m - 1, m, m + 1]);
  return [0, 1, 2, 0x400000, 0x7fffff, ...around].filter((m) => m >= 0 && m <= 0x7fffff);
}

/** Every exponent with every critical mantissa, both signs; random bit patterns; edge cases. */
export function criticalFloats(format: ScalarFormat): Float32Array {
  const mantissas = criticalMantissas(format);
  const random = testRandom(format.bits);
  const bits: number[] = [];
  for (let exponent = 0; exponent < 255; exponent++)
    for (const [i, mantissa] of mantissas.entries())
      bits.push(((exponent << 23) | mantissa | (((i + exponent) % 2) << 31)) >>> 0);
  for (let i = 0; i < 2000; i++) bits.push(random());
  for (let i = 0; i < 2000; i++) bits.push(((127 - (random() % 24)) << 23) | (random() & 0x807fffff));
  return Float32Array.from([...edgeCases, ...bits.map((b) => float32OfBits(b >>> 0))]);
}
