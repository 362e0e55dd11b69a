/** The ladders of a run: weights and moments, each group counted together. */
import type { SafetensorsTensor } from "../io/safetensors.ts";
import type { JsonObject } from "./json.ts";
import { addHistograms, ladderHistogram, type LadderHistogram } from "./ladder-histogram.ts";
import type { LadderGroup } from "./run-summary.ts";
import { storedCodes } from "./stored-codes.ts";

const moments = [
  [".m", "first moment"],
  [".v", "second moment"],
] as const;

/**
 * Histograms of all tensors that lie on a ladder, added up by what they are: weights, first moment, second moment.
 * Weights first; a group that mixes formats comes as one entry a format.
 *
 * @param tensors  as a checkpoint holds them: state of parameter `x` is called `x.m` and `x.v`.
 * @param formats  the number format of each coded tensor, as `formatsOf` gives it.
 * @throws UnknownFormatError for a format this version does not know.
 */
export function ladderGroups(
  tensors: Readonly<Record<string, SafetensorsTensor>>,
  formats: JsonObject,
): LadderGroup[] {
  const groups = new Map<string, LadderHistogram[]>([["weights", []]]);
  for (const [name, tensor] of Object.entries(tensors)) {
    const coded = storedCodes(tensor, Object.hasOwn(formats, name) ? formats[name] : null);
    if (coded === undefined) continue;
    const histogram = ladderHistogram(coded.codes, coded.format);
    if (histogram === undefined) continue;
    const group = groupOf(name, tensors);
    groups.set(group, [...(groups.get(group) ?? []), histogram]);
  }
  return [...groups].flatMap(([group, histograms]) =>
    [...new Set(histograms.map((histogram) => histogram.format))].map((name) => ({
      group,
      ...addHistograms(histograms.filter((histogram) => histogram.format === name)),
    })),
  );
}

function groupOf(name: string, tensors: Readonly<Record<string, SafetensorsTensor>>): string {
  const parent = name.slice(0, name.lastIndexOf("."));
  // A parameter has a scale; it has no tensor of its own where parts stand in its place.
  if (!(`${parent}.scale` in tensors) && !(parent in tensors)) return "weights";
  const found = moments.find(([suffix]) => name.endsWith(suffix));
  if (found) return found[1];
  return parent in tensors ? "weights" : "parts";
}
