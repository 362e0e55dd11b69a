import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parameterCount } from "./image-model.ts";
import { imagePresets } from "./image-presets.ts";

const page = readFileSync(new URL("../../docs/models.md", import.meta.url), "utf8");

/** Rows of the table: name, summary, images, classes, parameters. */
const rows = [...page.matchAll(/^\| `([\w-]+)` +\| (.+?) +\| (\d+)×(\d+)×(\d+), (\d+) +\| +([\d,]+) \|$/gm)];

it("lists every architecture but those for tests", () => {
  const names = Object.keys(imagePresets).filter((name) => !name.endsWith("-mini"));
  expect(rows.map(([, name]) => name)).toEqual(names);
});

it.each(rows.map(([, ...cells]) => cells))("has the parameters of %s", (name, summary, ...numbers) => {
  const [channels, height, width, classes, count] = numbers.map((text) => Number(text.replaceAll(",", "")));
  expect(imagePresets[name].summary).toBe(summary);
  expect(parameterCount(imagePresets[name], { channels, height, width, classes })).toBe(count);
});
