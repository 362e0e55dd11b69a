/** Going on with a run from elsewhere, for longer, with its text in another place, or with another text. */
import { cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { inPlace, logrung, sentences, stateOf, tiny, workspace } from "./program.ts";

const folder = workspace();
const elsewhere = join(folder, "elsewhere");
mkdirSync(elsewhere);
writeFileSync(join(folder, "text.txt"), sentences(3000));
const relative = ["train", "text", "--data=text.txt", "--steps=12", "--checkpoint.every=4", ...tiny];

it("a run begun with relative paths goes on from another folder", async () => {
  expect((await logrung([...relative, "--output=runs/whole"], { cwd: folder })).code).toBe(0);
  cpSync(join(folder, "runs", "whole"), join(elsewhere, "copy"), { recursive: true });
  const { code, stderr } = await logrung(["train", "--resume", "copy", "--checkpoint", "4"], {
    cwd: elsewhere,
  });
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("going on after step 4");
  expect(await stateOf(join(elsewhere, "copy"))).toEqual(await stateOf(join(folder, "runs", "whole")));
  const config = JSON.parse(readFileSync(join(elsewhere, "copy", "config.json"), "utf8")) as {
    output: string;
  };
  expect(config.output).toBe(join(elsewhere, "copy"));
});

it("more steps go on, fewer or as many are refused", async () => {
  const run = join(elsewhere, "copy");
  for (const steps of [8, 12]) {
    const { code, stderr } = await inPlace(["train", `--resume=${run}`, `--steps=${steps}`]);
    expect(code).toBe(2);
    expect(stderr).toContain("this run has done all its 12 steps; --steps=<more> goes on");
  }
  const { code, stdout } = await inPlace(["train", `--resume=${run}`, "--steps=15", "--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ steps: 15, run });
  expect(readFileSync(join(run, "metrics.jsonl"), "utf8").trimEnd().split("\n")).toHaveLength(15);
});

it.each([
  ["--seed=2", "seed"],
  ["--batch=3", "batch"],
  ["--lr=0.2", "optimizer"],
  ["--precision=fp32", "precision"],
  ["--data.validationFraction=0.2", "data"],
])("another %s is refused", async (flag, key) => {
  const { code, stderr } = await inPlace([
    "train",
    `--resume=${join(folder, "runs", "whole")}`,
    "--steps=20",
    flag,
  ]);
  expect(code).toBe(2);
  expect(stderr).toBe(`logrung: a resumed run keeps its ${key}: start a new run to change that\n`);
});

it("a text that was moved is found where --data says, and another text is refused", async () => {
  renameSync(join(folder, "text.txt"), join(elsewhere, "moved.txt"));
  const resume = ["train", `--resume=${join(folder, "runs", "whole")}`, "--steps=14"];
  const missing = await inPlace(resume);
  expect(missing.code).toBe(2);
  expect(missing.stderr).toContain('text.txt": no such file or folder');
  writeFileSync(join(folder, "other.txt"), sentences(3001));
  const other = await inPlace([...resume, "--data=other.txt"], { cwd: folder });
  expect(other.code).toBe(2);
  expect(other.stderr).toContain("is not the one it was saved with: going on would mix two texts");
  expect(other.stderr).toContain("say where it is now with --data <path>");
  const found = await inPlace([...resume, "--data=moved.txt"], { cwd: elsewhere });
  expect(found.code, found.stderr).toBe(0);
});
