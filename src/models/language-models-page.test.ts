import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { languagePresets } from "./language-presets.ts";
import { languageParameterCount } from "./model.ts";
import { encoder } from "./bert.ts";
import { encoderPresets } from "./encoder-presets.ts";
import { encoderParameterCount } from "./encoder.ts";
import { models } from "./models.generated.ts";

const page = readFileSync(new URL("../../docs/language-models.md", import.meta.url), "utf8");

/** Rows of the table: preset, architecture, then numbers. */
const rows = [...page.matchAll(/^\| `([\w-]+)` +\| `([\w-]+)` +\|([\d,| ]+)\|$/gm)];

it("lists every preset", () => {
  expect(rows.map(([, name]) => name)).toEqual(Object.keys(languagePresets));
});

it.each(rows.map(([, ...cells]) => cells))(
  "has the sizes and parameters of %s",
  (name, architecture, text) => {
    const numbers = text.split("|").map((cell) => Number(cell.replaceAll(/[, ]/g, "")));
    const [layers, width, heads, context, vocabulary, count] = numbers;
    const preset = languagePresets[name];
    expect(preset).toMatchObject({ name: architecture, layers, width, heads, context });
    expect(languageParameterCount(models[preset.name], { ...preset, vocabulary })).toBe(count);
  },
);

/** Rows of the encoders' table: preset, then numbers. */
const encoderRows = [...page.matchAll(/^\| `(bert-\w+)` +\|([\d,| ]+)\|$/gm)].map(([, ...cells]) => cells);

it("lists every preset of encoders", () => {
  expect(encoderRows.map(([name]) => name)).toEqual(Object.keys(encoderPresets));
});

it.each(encoderRows)("has the sizes and parameters of %s", (name, text) => {
  const numbers = text.split("|").map((cell) => Number(cell.replaceAll(/[, ]/g, "")));
  const [layers, width, heads, context, vocabulary, pooled, masked] = numbers;
  const preset = encoderPresets[name];
  expect(preset).toMatchObject({ layers, width, heads, context });
  const count = (head: "pooler" | "masked") =>
    encoderParameterCount(encoder, { ...preset, vocabulary }, head);
  expect([count("pooler"), count("masked")]).toEqual([pooled, masked]);
});
