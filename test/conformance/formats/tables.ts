/** Formats by table that the conformance tests run over: what a user could bring. */
import type { ScalarFormat } from "../../../src/formats/format.ts";
import { tableFormat } from "../../../src/formats/table.ts";

/** Unevenly spaced, not symmetric, without order: 3 bits, one of them twice, one NaN. */
const ragged = tableFormat("ragged", 3, [0.1, -2, 0, 5, NaN, 0.1, 1 / 3, -0.25]);

/** Two values and no zero. */
const sign = tableFormat("sign", 1, [1, -1]);

/** Sign and magnitude, with both zeros and both infinities: eighths of an octave up to 2^3. */
const magnitudes = Array.from({ length: 32 }, (_, i) =>
  i === 0 ? 0 : i === 31 ? Infinity : 2 ** (i / 8 - 0.75),
);
const eighths = tableFormat("eighths", 6, [...magnitudes, ...magnitudes.map((x) => -x)]);

/** 10 bits over the whole range of float32, subnormal numbers too. */
const wide = tableFormat(
  "wide",
  10,
  Array.from({ length: 1024 }, (_, i) =>
    i < 512 ? i * 2 ** (i / 2 - 149) : -(i - 512) * 2 ** ((i - 512) / 2 - 149),
  ),
);

export const tableFormats: readonly ScalarFormat[] = [ragged, sign, eighths, wide];
