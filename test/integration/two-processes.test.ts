/** A run folder belongs to one process at a time. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { countLines, logrung, start, stateOf, training, until, workspace } from "./program.ts";

const folder = workspace();

it("a second process is refused, and the first does not notice", async () => {
  const run = join(folder, "run");
  const first = start(training(run, 100_000));
  await until(() => countLines(join(run, "metrics.jsonl")) > 5, first);
  const resumed = await logrung(["train", `--resume=${run}`]);
  expect(resumed.code).toBe(1);
  expect(resumed.stderr).toMatch(
    new RegExp(`^logrung: the run is in use by process ${first.child.pid}; wait for it to end`),
  );
  const anew = await logrung(training(run, 5));
  expect([resumed.code, anew.code]).toEqual([1, 1]);
  expect(anew.stderr).toContain("the run is in use by process");
  first.child.kill("SIGINT");
  const { code, stderr } = await first.ended;
  expect(code).toBe(130);
  expect((await stateOf(run)).step).toBe(Number(/saved after step (\d+)/.exec(stderr)?.[1]));
  const later = await logrung(training(run, 5));
  expect(later.code).toBe(2);
  expect(later.stderr).toContain("already holds a run: go on with --resume, or name another --output");
});
