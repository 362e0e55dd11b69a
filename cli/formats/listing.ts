/** Formats as rows of a table: the same on the terminal and in the picture. */
import { blockFormat, type BlockFormat, blockFormatNames } from "../../src/formats/block-format.ts";
import { format, formatExamples } from "../../src/formats/format.ts";
import { formatFigure, formatTable } from "../table.ts";
import { type FormatFacts, factsOf, octaveText, percentText, specialsOf, valueText } from "./facts.ts";
import { familyTexts } from "./families.ts";
import { blockInfo } from "./json.ts";
import { elementOf, type FoundFormat } from "./look-up.ts";

/** For `formatTable`: ">" sets a column to the right. */
export const factHeader: readonly string[] = [
  "name",
  ">bits",
  ">largest",
  ">normal from",
  ">smallest",
  ">max error",
  ">per octave",
  "has",
];

/** One format. The error is relative, of rounding to nearest from the smallest normal value to the largest. */
export function factRow(facts: FormatFacts): string[] {
  const { name, bits, max, minNormal, minPositive, maxRelativeError } = facts;
  return [
    name,
    String(bits),
    ...[max, minNormal, minPositive].map(valueText),
    percentText(maxRelativeError),
    octaveText(facts.perOctave),
    specialsOf(facts),
  ];
}

const blockHeader: readonly string[] = ["name", ">bits", "element", ">block", "scale", "scale rule"];

function blockRow({ name, bits, element, block, scale, scaleRule, tensorScale }: BlockFormat): string[] {
  const rule = tensorScale ? "largest magnitude, and a float32 of the tensor" : scaleRule;
  return [name, formatFigure(bits), element.name, String(block), scale.name, rule];
}

/** Everything there is, for the terminal. */
export function formatList(): string {
  const formats = formatExamples().map((name) => factRow(factsOf(format(name))));
  const families = familyTexts.map(({ name, doc }) => [name, doc]);
  return [
    formatTable(factHeader, formats),
    "max error is relative: of rounding to nearest, from the smallest normal value to the largest.",
    "",
    "families, of which the table has examples:",
    "",
    formatTable(["name", "what it is"], families),
    "block formats, whose elements share scales:",
    "",
    formatTable(
      blockHeader,
      blockFormatNames.map((name) => blockRow(blockFormat(name))),
    ),
    "logrung formats <name> draws one.",
    "",
  ].join("\n");
}

/** One format in words and figures, above its drawing. */
export function formatHeading(found: FoundFormat): string {
  const element = elementOf(found);
  const table = formatTable(factHeader, [factRow(factsOf(element))]);
  if (found.kind === "scalar") return table;
  return `${formatTable(blockHeader, [blockRow(found.format)])}\nits elements:\n\n${table}`;
}

/** Everything there is, for machines. */
export function listJson(): string {
  return JSON.stringify({
    formats: formatExamples().map((name) => factsOf(format(name))),
    families: familyTexts.map(({ name, doc }) => ({ name, doc })),
    blocks: blockFormatNames.map((name) => {
      const found = blockFormat(name);
      return { name, bits: found.bits, ...blockInfo(found) };
    }),
  });
}
