import { describe, expect, it } from "vitest";
import { blockFormat } from "../../src/formats/block-format.ts";
import { format, formatExamples } from "../../src/formats/format.ts";
import { octaveErrors } from "./coarseness-drawing.ts";
import { drawLadder } from "./drawing.ts";
import { factsOf, percentText, valueText } from "./facts.ts";
import { familyTexts } from "./families.ts";
import { formatJson } from "./json.ts";
import { ladderOf } from "./ladder.ts";
import { formatList } from "./listing.ts";
import { companionsOf, lookUpFormat } from "./look-up.ts";
import { formatPicture } from "./picture.ts";

/** A few thousand magnitudes, evenly in the log domain. */
function magnitudes(low: number, high: number): number[] {
  const count = 4000;
  const width = Math.log(high) - Math.log(low);
  return Array.from({ length: count }, (_, i) => Math.exp(Math.log(low) + ((i + 0.37) / count) * width));
}

describe("facts", () => {
  it.each(formatExamples())(
    "tell the largest error of %s that its encoder makes, no more and no less",
    (name) => {
      const { decode, encode, info } = format(name);
      const { maxRelativeError } = factsOf(format(name));
      const low = Math.max(info.minNormal, 2 ** -126);
      const errors = magnitudes(low, info.max).map((magnitude) => {
        const x = Math.fround(magnitude);
        return x > info.max || x < low ? 0 : Math.abs(decode(encode(x, "nearest-even", 0)) - x) / x;
      });
      const worst = Math.max(...errors);
      expect(worst).toBeLessThanOrEqual(maxRelativeError * (1 + 1e-6));
      if (name !== "fp32") expect(worst).toBeGreaterThan(maxRelativeError * 0.9);
    },
  );

  it("count values an octave", () => {
    const perOctave = (name: string) => factsOf(format(name)).perOctave;
    expect(perOctave("fp8-e4m3")).toEqual([8, 8]);
    expect(perOctave("fp32")).toEqual([2 ** 23, 2 ** 23]);
    expect(perOctave("int8")).toEqual([1, 32]);
    expect(perOctave("lns16-g1")).toEqual([1, 1]);
    expect(perOctave("lns4-g8")).toEqual([8, 8]); // no whole octave
  });

  it("are written in few digits", () => {
    expect([65504, 2 ** -14, 2 ** 127, 0.015625].map(valueText)).toEqual([
      "65504",
      "6.10352e-5",
      "1.70141e+38",
      "0.015625",
    ]);
    expect([1 / 17, 2 ** -24, 0].map(percentText)).toEqual(["5.88 %", "5.96e-6 %", "0 %"]);
  });
});

describe("a ladder drawn", () => {
  it("has a bar for every value where there is room, on an axis of powers of two", () => {
    const [values, density, axis] = drawLadder(ladderOf(format("fp4-e2m1")), 60).split("\n");
    const bars = [...values].flatMap((letter, place) => (letter === "|" ? [place - 9] : []));
    const wanted = [0.5, 1, 1.5, 2, 3, 4, 6].map((value) =>
      Math.round((Math.log2(value / 0.5) / Math.log2(12)) * 50),
    );
    expect(bars).toEqual(wanted);
    expect(density).toMatch(/^density {2}[▁-█]{51}$/);
    expect(axis.slice(9 + wanted[1])).toMatch(/^1 +2¹ +2²$/);
  });

  it.each(["fp32", "lns8-g8", "e8m0", "lns16-g1", "lns3-g2048"])(
    "keeps %s to the width, in plain letters",
    (name) => {
      for (const columns of [40, 80, 120]) {
        const text = drawLadder(ladderOf(format(name)), columns);
        expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(columns);
        // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
        expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
      }
    },
  );

  it("shows an even density for a logarithmic ladder", () => {
    const density = drawLadder(ladderOf(format("lns8-g8")), 80)
      .split("\n")[1]
      .slice(9);
    expect([...density].filter((bar) => bar !== "█" && bar !== "▇")).toEqual([]);
  });
});

describe("JSON", () => {
  it.each(["fp8-e5m2", "int4", "lns8-g16", "ulns8-g4", "lns12-eta0.001", "e8m0"])(
    "has the value of every code of %s",
    (name) => {
      const found = format(name);
      const parsed = JSON.parse(formatJson(lookUpFormat(name))) as { values: (number | string)[] };
      expect(Object.keys(parsed)).toEqual(["name", "bits", "info", "values"]);
      expect(parsed).toMatchObject({ name, bits: found.bits, info: found.info });
      expect(parsed.values.length).toBe(2 ** found.bits);
      const wrong = parsed.values.filter((value, code) => {
        const wanted = found.decode(code);
        return !Object.is(value, Number.isFinite(wanted) ? wanted : String(wanted));
      });
      expect(wrong).toEqual([]);
    },
  );

  it("says what a block format is made of, and gives up on 2^32 values", () => {
    expect(JSON.parse(formatJson(lookUpFormat("nvfp4")))).toEqual({
      name: "nvfp4",
      bits: 4.5,
      info: {
        ...format("fp4-e2m1").info,
        element: "fp4-e2m1",
        block: 16,
        scale: "fp8-e4m3",
        scaleRule: null,
        tensorScale: true,
      },
      values: [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6],
    });
    expect(JSON.parse(formatJson(lookUpFormat("fp32")))).toMatchObject({ values: null });
  });
});

describe("the list", () => {
  it("has every format, and a text for every family with parameters", () => {
    const text = formatList();
    for (const name of formatExamples()) expect(text).toMatch(new RegExp(`^${name} `, "m"));
    for (const name of formatExamples().filter((example) => /-(g|eta)\d/.test(example))) {
      expect(familyTexts.filter(({ pattern }) => pattern.test(name)).length, name).toBe(1);
    }
    expect(text).toMatch(/^mxfp6-e3m2 +6\.25 +fp6-e3m2 +32 +e8m0 +floor$/m);
  });

  it("names the nearest format of both kinds", () => {
    expect(() => lookUpFormat("mxfp8-e4m2")).toThrow('did you mean "mxfp8-e4m3"?');
    expect(() => lookUpFormat("lns8-q8")).toThrow('did you mean "lns8-g8"?');
    expect(() => lookUpFormat("lns99-g8")).toThrow("bits is 99, wants 3 to 16");
  });
});

describe("the picture", () => {
  it("shows a format beside others of its size and sign, and needs nothing else", () => {
    const companions = companionsOf(format("fp8-e4m3"));
    expect(companions.length).toBe(5);
    expect(companions.every(({ bits, info }) => bits >= 5 && info.signBit !== null)).toBe(true);
    expect(companionsOf(format("ulns8-g4")).map(({ name }) => name)).toEqual(["e8m0"]);
    const page = formatPicture(lookUpFormat("fp8-e4m3"), companions);
    for (const { name } of companions) expect(page).toContain(`>${name}</text>`);
    expect(page).toContain("default-src 'none'");
    expect(page).not.toMatch(/<script|<link|<img|url\(|@import|\shref=|\ssrc=|NaN[^ <]|undefined|Infinity/);
    expect(page.length).toBeLessThan(300_000);
  });

  it.each(["fp32", "e8m0", "lns16-g1", "lns3-g2048", "mxint8", "nvfp4"])("can be made of %s", (name) => {
    const found = lookUpFormat(name);
    const page = formatPicture(
      found,
      companionsOf(found.kind === "block" ? found.format.element : found.format),
    );
    const numbers = [...page.matchAll(/ d="([^"]*)"/g)].flatMap(([, path]) =>
      path.split(/[MLHV v]/).filter(Boolean),
    );
    expect(numbers.length).toBeGreaterThan(10);
    expect(numbers.filter((text) => !/^-?[\d.]+(h|v)?-?[\d.]*$/.test(text))).toEqual([]);
  });

  it("draws the error octave by octave below the largest value", () => {
    const errors = octaveErrors(ladderOf(format("fp8-e4m3")));
    expect(errors.length).toBe(18);
    expect(errors.slice(0, 14).every((error) => Math.abs(error - 1 / 17) < 0.01)).toBe(true);
    expect(errors.at(-1)).toBeCloseTo(1 / 3);
    expect(octaveErrors(ladderOf(blockFormat("nvfp4").element)).length).toBe(4);
  });
});
