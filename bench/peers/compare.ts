/** The same work in other libraries: ours, theirs, ours, theirs, each in a process of its own. */
import { ownTask, runTask, TaskError, type TaskCommand } from "../task-process.ts";
import { median } from "../timing.ts";
import { formatNumber, formatTable } from "../report.ts";
import type { Context } from "../suite.ts";
import { gflops } from "../work/gemm.ts";
import { sizes, taskNames, type TaskName, type TaskResult } from "./protocol.ts";
import { install, jax, tensorflow } from "./scratch.ts";
import { findTorch } from "./torch.ts";

/** A library that does the tasks. */
export interface Side {
  /** With its version. */
  readonly name: string;
  /** What it is asked to do. */
  readonly tasks: readonly TaskName[];
  command(task: TaskName, threads: number, milliseconds: number): TaskCommand;
  /** Gives back what was made for it. */
  close?(): Promise<void>;
}

/** One figure of every side; null where a side has none. */
export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly moreIsBetter: boolean;
  /** By the name of the side; ours is "logrung". */
  readonly values: Readonly<Record<string, number | null>>;
  /** Of sides that were asked and could not: why. */
  readonly failures: Readonly<Record<string, string>>;
}

type Say = (text: string) => void;

const OURS = "logrung";

/** Suites that `--only` names, and the tasks that are theirs. */
const suiteTasks: Readonly<Record<string, readonly TaskName[]>> = {
  gemm: ["gemm"],
  "gemm-formats": ["gemm-mx"],
  gpt: ["gpt", "gpt-mxfp6"],
  mlp: ["mlp"],
  convnet: ["convnet"],
  optimizers: ["adam"],
};

type Sides<T> = ReadonlyMap<Pick<Side, "name">, T>;

/** Runs what was chosen in every library that can be had. */
export async function comparePeers(
  { threads, quick, only }: Context & { readonly only: readonly string[] },
  say: Say,
): Promise<Comparison[]> {
  const chosen = taskNames.filter(
    (task) => only.length === 0 || only.some((suite) => suiteTasks[suite]?.includes(task)),
  );
  const ours: Side = { name: OURS, tasks: taskNames, command: ownTask };
  const peers = await Promise.all([install(jax, say), install(tensorflow, say), findTorch(say)]);
  const sides = [ours, ...peers.filter((side) => side !== null)];
  try {
    const comparisons: Comparison[] = [];
    for (const task of chosen) {
      const able = sides.filter((side) => side.tasks.includes(task));
      const { results, failures } = await inTurns(able, task, threads, quick, say);
      comparisons.push(...comparisonsOf(sides, results, failures));
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
): Promise<{ results: Sides<TaskResult[]>; failures: Sides<string> }> {
  const failures = new Map<Side, string>();
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
        failures.set(side, error.reason);
        results.delete(side);
      }
    }
  }
  return { results, failures };
}

/** So few steps may teach less than batches differ by. */
const FEW_STEPS = 20;
const NOISE = 0.1;

/** A step that does not lower the loss is not the work that was asked for, however fast. */
function learnt(result: TaskResult): TaskResult {
  const { task, loss, steps } = result;
  if (!loss || loss[1] < loss[0] * (steps < FEW_STEPS ? 1 + NOISE : 1)) return result;
  throw new TaskError(task, `it does not learn: loss ${loss[0]} at the start, ${loss[1]} at the end`);
}

const rates: Readonly<Record<string, string>> = {
  gpt: "tokens/s",
  "gpt-mxfp6": "tokens/s",
  mlp: "steps/s",
  convnet: "images/s",
};

/** What is shown of a task: its rate, and its memory where that is the task's own. */
function figuresOf(task: string): Pick<Comparison, "unit" | "moreIsBetter">[] {
  if (task.startsWith("gemm")) return [{ unit: "GFLOP/s", moreIsBetter: true }];
  if (task === "adam") return [{ unit: "ms", moreIsBetter: false }];
  return [
    { unit: rates[task], moreIsBetter: true },
    { unit: "MB peak", moreIsBetter: false },
  ];
}

function valueOf({ task, milliseconds, peakBytes }: TaskResult, unit: string): number {
  if (unit === "GFLOP/s") return gflops(Number(task.split(" ").at(-1)), milliseconds);
  if (unit === "tokens/s") return (sizes.gpt.batch * sizes.gpt.context * 1000) / milliseconds;
  if (unit === "images/s") return (sizes.convnet.batch * 1000) / milliseconds;
  if (unit === "steps/s") return 1000 / milliseconds;
  return unit === "ms" ? milliseconds : peakBytes / 1e6;
}

/** Medians over the rounds. */
export function comparisonsOf(
  sides: readonly Pick<Side, "name">[],
  results: Sides<readonly TaskResult[]>,
  failures: Sides<string> = new Map(),
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
        failures: Object.fromEntries([...failures].map(([{ name }, why]) => [name, why])),
      };
    }),
  );
}

/** A table: ours, then each peer with how many times better ours is; below it why some could not run. */
export function formatComparison(comparisons: readonly Comparison[]): string {
  const peers = Object.keys(comparisons[0]?.values ?? {}).filter((name) => name !== OURS);
  const titles = ["what", "unit", `>${OURS}`, ...peers.flatMap((name) => [`>${name}`, ">ours is better by"])];
  const rows = comparisons.map(({ name, unit, values, moreIsBetter, failures }) => {
    const show = (side: string): string => {
      const value = values[side];
      if (value !== null) return formatNumber(value);
      return side in failures ? "cannot run" : "has none";
    };
    const ours = values[OURS];
    const cells = peers.flatMap((peer) => {
      const theirs = values[peer];
      if (ours === null || theirs === null) return [show(peer), ""];
      return [show(peer), `${(moreIsBetter ? ours / theirs : theirs / ours).toFixed(2)} ×`];
    });
    return [name, unit, show(OURS), ...cells];
  });
  const reasons = comparisons.flatMap(({ name, failures }) =>
    Object.entries(failures).map(([side, why]) => `${name} in ${side}: ${why}`),
  );
  const table = formatTable(titles, rows);
  return reasons.length === 0 ? table : [table, "", ...new Set(reasons)].join("\n");
}
