/** The same work in other libraries: ours, theirs, ours, theirs, each in a process of its own. */
import { ownTask, runTask, TaskError, type TaskCommand } from "../task-process.ts";
import { median } from "../timing.ts";
import { formatNumber, formatTable } from "../report.ts";
import type { Context } from "../suite.ts";
import { gflops } from "../work/gemm.ts";
import { installJax } from "./jax.ts";
import { sizes, taskNames, type TaskName, type TaskResult } from "./protocol.ts";
import { findTorch } from "./torch.ts";

/** A library that does the tasks. */
export interface Side {
  /** With its version. */
  readonly name: string;
  command(task: TaskName, threads: number, milliseconds: number): TaskCommand;
  /** Gives back what was made for it. */
  close?(): Promise<void>;
}

/** One figure of every side; null where a side could not run. */
export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly moreIsBetter: boolean;
  /** By the name of the side; ours is "logrung". */
  readonly values: Readonly<Record<string, number | null>>;
}

type Say = (text: string) => void;

const OURS = "logrung";

/** Suites that `--only` names, and the tasks that are theirs. */
const suiteTasks: Readonly<Record<string, TaskName>> = {
  gemm: "gemm",
  gpt: "gpt",
  mlp: "mlp",
  optimizers: "adam",
};

/** Runs what was chosen in every library that can be had. */
export async function comparePeers(
  { threads, quick, only }: Context & { readonly only: readonly string[] },
  say: Say,
): Promise<Comparison[]> {
  const chosen = taskNames.filter(
    (task) => only.length === 0 || only.some((suite) => suiteTasks[suite] === task),
  );
  const ours: Side = { name: OURS, command: ownTask };
  const peers = await Promise.all([installJax(say), findTorch(say)]);
  const sides = [ours, ...peers.filter((side) => side !== null)];
  try {
    const comparisons: Comparison[] = [];
    for (const task of chosen) {
      const results = await inTurns(sides, task, threads, quick, say);
      comparisons.push(...comparisonsOf(sides, results));
    }
    return comparisons;
  } finally {
    for (const side of sides) await side.close?.();
  }
}

/** Results of every side, round by round; a side that fails is told of and left out from then on. */
async function inTurns(
  sides: readonly Side[],
  task: TaskName,
  threads: number,
  quick: boolean,
  say: Say,
): Promise<Map<Side, TaskResult[]>> {
  const results = new Map<Side, TaskResult[]>(sides.map((side) => [side, []]));
  const milliseconds = quick ? 1500 : 5000;
  for (let round = 1; round <= (quick ? 1 : 3); round++) {
    for (const [side, before] of results) {
      say(`${task}, round ${round}: ${side.name}`);
      try {
        before.push(...(await runTask(side.command(task, threads, milliseconds))).map(learnt));
      } catch (error) {
        if (!(error instanceof TaskError)) throw error;
        say(error.message);
        results.delete(side);
      }
    }
  }
  return results;
}

/** A step that does not lower the loss is not the work that was asked for, however fast. */
function learnt(result: TaskResult): TaskResult {
  const { task, loss } = result;
  if (!loss || loss[1] < loss[0]) return result;
  throw new TaskError(`logrung: ${task} does not learn: loss ${loss[0]} at the start, ${loss[1]} at the end`);
}

/** What is shown of a task: its rate, and its memory where that is the task's own. */
function figuresOf(task: string): Omit<Comparison, "values" | "name">[] {
  if (task.startsWith("gemm")) return [{ unit: "GFLOP/s", moreIsBetter: true }];
  if (task === "adam") return [{ unit: "ms", moreIsBetter: false }];
  const memory = { unit: "MB peak", moreIsBetter: false };
  return [{ unit: task === "gpt" ? "tokens/s" : "steps/s", moreIsBetter: true }, memory];
}

function valueOf({ task, milliseconds, peakBytes }: TaskResult, unit: string): number {
  if (unit === "GFLOP/s") return gflops(Number(task.split(" ")[1]), milliseconds);
  if (unit === "tokens/s") return (sizes.gpt.batch * sizes.gpt.context * 1000) / milliseconds;
  if (unit === "steps/s") return 1000 / milliseconds;
  return unit === "ms" ? milliseconds : peakBytes / 1e6;
}

/** Medians over the rounds. */
export function comparisonsOf(
  sides: readonly Pick<Side, "name">[],
  results: ReadonlyMap<Pick<Side, "name">, readonly TaskResult[]>,
): Comparison[] {
  const tasks = [...new Set([...results.values()].flat().map(({ task }) => task))];
  return tasks.flatMap((task) =>
    figuresOf(task).map((figure) => {
      const of = (side: Pick<Side, "name">): number | null => {
        const own = (results.get(side) ?? []).filter((result) => result.task === task);
        return own.length === 0 ? null : median(own.map((result) => valueOf(result, figure.unit)));
      };
      return {
        name: task,
        ...figure,
        values: Object.fromEntries(sides.map((side) => [side.name, of(side)])),
      };
    }),
  );
}

const show = (value: number | null): string => (value === null ? "did not run" : formatNumber(value));

/** A table: ours, then each peer with how many times better ours is. */
export function formatComparison(comparisons: readonly Comparison[]): string {
  const peers = Object.keys(comparisons[0]?.values ?? {}).filter((name) => name !== OURS);
  const titles = ["what", "unit", `>${OURS}`, ...peers.flatMap((name) => [`>${name}`, ">ours is better by"])];
  const rows = comparisons.map(({ name, unit, values, moreIsBetter }) => {
    const ours = values[OURS];
    const cells = peers.flatMap((peer) => {
      const theirs = values[peer];
      if (ours === null || theirs === null) return [show(theirs), ""];
      return [show(theirs), `${(moreIsBetter ? ours / theirs : theirs / ours).toFixed(2)} ×`];
    });
    return [name, unit, show(ours), ...cells];
  });
  return formatTable(titles, rows);
}
