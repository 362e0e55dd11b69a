/** Where weights and moments of a run lie in their formats, as its summary keeps it. */
import { ladderGroups } from "../src/train/ladder-groups.ts";
import type { RunSummary } from "../src/train/run-summary.ts";
import { spreadReport } from "../src/train/spread-report.ts";
import { initialState, stateOf } from "./initial-state.ts";
import type { Session } from "./session.ts";

/** Histograms of all numbers of a session, beside those that it began with where these can be had at little cost. */
export async function numbersOf(session: Session): Promise<Pick<RunSummary, "ladders" | "spreads">> {
  const now = await stateOf(session);
  const start = await initialState(session);
  const before = start === null ? [] : ladderGroups(start.tensors, start.formats);
  const ladders = ladderGroups(now.tensors, now.formats).map((ladder) => {
    const began = before.find(({ group, format }) => group === ladder.group && format === ladder.format);
    if (ladder.group !== "weights" || began === undefined) return ladder; // moments begin with zeros
    const { positive, negative } = began;
    return { ...ladder, initial: { positive, negative } };
  });
  return { ladders, spreads: spreadReport(session.trainer.groups, now, start) };
}
