/** A folder in which nothing may be written: a clear message, exit code 1, and nothing has changed. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inPlace, logrung, ordinaryUser, stateOf, textFile, training, workspace } from "./program.ts";

const folder = workspace();
const user = ordinaryUser();

describe.skipIf(!user)("a folder that may not be written (takes a user whom permissions stop)", () => {
  it("does not become a run, and another is asked for", async () => {
    chmodSync(folder, 0o755);
    chmodSync(join(textFile(), ".."), 0o755);
    const locked = join(folder, "locked");
    mkdirSync(locked);
    chmodSync(locked, 0o555);
    const run = join(locked, "new");
    const { code, stdout, stderr } = await logrung(training(run, 3), { cwd: "/", ...user });
    expect(stderr).toBe(
      `logrung: cannot write "${run}": permission denied (EACCES); choose another folder\n`,
    );
    expect([code, stdout]).toEqual([1, ""]);
    expect(existsSync(run)).toBe(false);
  });

  it("keeps the run that lies in it", async () => {
    const run = join(folder, "run");
    expect((await inPlace(training(run, 4))).code).toBe(0);
    const before = await stateOf(run);
    execFileSync("chmod", ["-R", "a-w", run]);
    const { code, stdout, stderr } = await logrung(["train", `--resume=${run}`, "--steps=6"], {
      cwd: "/",
      ...user,
    });
    expect(stderr).toMatch(/^logrung: cannot write ".*": permission denied \(EACCES\)/);
    expect([code, stdout]).toEqual([1, ""]);
    expect(await stateOf(run)).toEqual(before);
    expect((await logrung(["eval", run], { cwd: "/", ...user })).code).toBe(0);
    expect((await logrung(["generate", run, "--length=3"], { cwd: "/", ...user })).code).toBe(0);
    execFileSync("chmod", ["-R", "u+w", run]);
  });
});
