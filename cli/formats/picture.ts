/** The page that shows a format beside others. */
import type { ScalarFormat } from "../../src/formats/format.ts";
import { htmlTable, legend, renderPage, section, tiles } from "../picture/page.ts";
import { coarsenessDrawing } from "./coarseness-drawing.ts";
import { type FormatFacts, factsOf, octaveText, percentText, specialsOf, valueText } from "./facts.ts";
import { ladderOf } from "./ladder.ts";
import { factHeader, factRow } from "./listing.ts";
import { elementOf, type FoundFormat } from "./look-up.ts";
import { valuesDrawing } from "./values-drawing.ts";

/**
 * The text of the page.
 *
 * @param found       what the page is about; of a block format the elements are drawn.
 * @param companions  drawn below it in this order, at most five.
 */
export function formatPicture(found: FoundFormat, companions: readonly ScalarFormat[]): string {
  const ladders = [elementOf(found), ...companions].map(ladderOf);
  const facts = ladders.map((ladder) => factsOf(ladder.format, ladder));
  const coarseness = coarsenessDrawing(ladders) + legend(facts.map(({ name }) => name));
  const sections = [
    tiles(figures(facts[0], found.format.bits)),
    section("Values", "Every positive value at scale 1, on a logarithmic axis.", valuesDrawing(ladders)),
    section("How coarse", coarsenessNote, coarseness),
    section("In figures", "", htmlTable(factHeader, facts.map(factRow))),
  ];
  return renderPage({ title: found.format.name, subtitle: subtitle(found), sections });
}

function subtitle(found: FoundFormat): string {
  if (found.kind === "scalar") return "a number format, beside others of about its size";
  const { element, block, scale } = found.format;
  return `a block format: elements in ${element.name}, a scale in ${scale.name} for every ${block} of them`;
}

const coarsenessNote =
  "Largest relative error of rounding to nearest, octave by octave below the largest value, which a computed scale " +
  "gives to the largest magnitude of a tensor.";

function figures(facts: FormatFacts, bits: number): [string, string][] {
  return [
    ["bits an element", String(bits)],
    ["largest value", valueText(facts.max)],
    ["smallest positive value", valueText(facts.minPositive)],
    ["largest relative error", percentText(facts.maxRelativeError)],
    ["values an octave", octaveText(facts.perOctave)],
    ["has", specialsOf(facts)],
  ];
}
